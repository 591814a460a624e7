"""An old snapshot and the changes after it make a fresh snapshot, for every command and at every moment.

A seeded walk makes every legal move of every machine, edits and deletes by hand, and grants; meanwhile snapshots are
taken at random moments, most of them while something is committed and not yet sequenced. Each is then folded forward
by the client's own fold, from the log, and must equal what a newcomer is given at the end.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg
import msgspec
import orjson
import pytest

from db.connection import Database
from db.snapshots import CONDITIONS, TABLES
from db.statement import Connection
from hub.client.fold import Change, TopicFold
from hub.client.fold import Present as Told
from hub.domain.events import STATE_COLUMN, legal_moves
from hub.domain.topics import Topic, TopicKind, parse_topic
from hub.domain.views import VIEWS
from hub.realtime.present import Present, Reading, read_present
from tests.town import GRANT, RIDER, Town, found, person, place, sequenced, sequencing

STEPS = 400
CUT_CHANCE = 0.25
MOVES = "select entity, source, target, move, event from legal_move"
WORDS = "select array_agg(distinct topic) from topic_log"
# Changes by hand that no machine knows; `$1` is a row of the table, taken by chance.
EDITS = {
    "kitchen": ("is_open = true", "paused_until = now()", "name = name || '.'", "region = 'moved'", "region = 'town'"),
    "brand": ("name = name || '.'",),
    "station": ("position = position + 1",),
    "item": ("is_available = not is_available", "portions_left = 3", "price_minor = price_minor + 1"),
    "person": ("locale = 'de'", "name = 'Renamed'"),
    "role_grant": ("expires_at = now() + interval '1 day'", "expires_at = null"),
    "rider": ("region = 'moved'", "region = 'town'", "vehicle = 'scooter'"),
    "orders": (
        "note = 'ring twice'", "is_rush = not is_rush", "promised_at = promised_at + interval '1 minute'",
        "archived_at = now() where ended_at is not null and id = $1",
        "rider_id = (select id from rider order by random() limit 1)",
    ),
    "order_line": ("archived_at = now()", "options = 'no onion'"),
    "delivery": ("reason = 'rain'", "archived_at = now() where ended_at is not null and id = $1"),
    "offer": ("expires_at = expires_at + interval '1 second'",),
    "payment": ("reason = 'by hand'",),
    "block": ("lifted_at = now()",),
    "session": ("device = 'a phone'",),
}  # fmt: skip
# What goes: a row that others hang on stays anyway, and a walk needs something to walk on.
DELETES = {
    **dict.fromkeys(("payment", "offer", "order_line", "delivery", "orders", "role_grant", "block", "station"), "true"),
    "item": "id <> '{town.item_ids[0]}'",
    "rider": "name <> 'Kept' and id <> '{town.rider_ids[0]}'",
}
OFFER = """
insert into offer (delivery_id, order_id, order_code, region, kitchen_id, rider_id, state, fee_minor, currency, pickup_name, pickup_lat,
    pickup_lon, drop_lat, drop_lon, distance_metres, approach_metres, ready_expected_at, expires_at)
select d.id, d.order_id, d.order_code, d.region, d.kitchen_id, $2, 'live', 0, 'INR', d.pickup_name, d.pickup_lat, d.pickup_lon, d.drop_lat,
    d.drop_lon, 900, 100, now(), now() + interval '30 seconds' from delivery d where d.id = $1
"""  # noqa: E501
SESSION = "insert into session (person_id, kind, expires_at) values ($1, 'phone', now() + interval '1 day')"
BLOCK = """
insert into block (kind, subject, effect, reason, author_id, expires_at)
values ('phone', 'nobody', 'refuse', 'a reason', $1, now() + interval '1 day')
"""
UNDER_REVIEW = """
insert into block (kind, subject, effect, reason, author_id, expires_at)
values ('person', $1::text, 'review', 'a reason', $2, now() + interval '1 day') returning id
"""
SECURITY = "insert into security_event (kind, severity) values ('sign_in.failed', 'notice')"
DECIDED = ", decision = 'looked at', decided_by = (select id from person limit 1)"
# What a state asks of the row beside its stamp.
NEEDS = {
    ("delivery", "assigned"): ", rider_id = (select id from rider where name = 'Kept'), rider_name = 'Kept'",
    **{("review", state): DECIDED for state in ("approved", "refused")},
    ("order", "out_for_delivery"): ", rider_id = (select id from rider where name = 'Kept')",
}
EDGES = [edge[:3] for edge in legal_moves() if edge[1]]
INITIAL = {entity: target for entity, source, target, *_ in legal_moves() if not source}


def way_to(entity: str, state: str) -> list[str]:
    """The states that lead from birth to `state`, by the shortest way."""
    ways = {INITIAL[entity]: [INITIAL[entity]]}
    frontier = list(ways)
    for here in frontier:
        for name, source, target in EDGES:
            if (name, source) == (entity, here) and target not in ways:
                ways[target] = [*ways[here], target]
                frontier.append(target)
    return ways[state]


@dataclass(slots=True, kw_only=True)
class Walk:
    """One seeded walk over a database."""

    conn: Connection
    town: Town
    chance: random.Random
    made: set[tuple[str, str, str]] = field(default_factory=set)

    async def step(self) -> None:
        """One transaction; what the database refuses has not happened."""
        steps = (self.move, self.move, self.move, self.move, self.edit, self.insert, self.delete)
        try:
            async with self.conn.transaction():
                await self.chance.choice(steps)()
                if self.chance.random() < 0.1:
                    await self.move()
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.UnknownPostgresError):
            return  # a constraint, or a rule of the house (HP…)

    async def one_of(self, table: str, condition: str = "true") -> str | None:
        row = await self.conn.fetchval(f"select id::text from {table} where {condition} order by random() limit 1")
        return str(row) if row else None

    async def move(self) -> None:
        """A legal move of some row that can make it."""
        self.chance.shuffle(edges := list(EDGES))
        for entity, source, target in edges:
            row_id = await self.one_of(TABLES.get(entity, entity), f"{STATE_COLUMN[entity]} = '{source}'")
            if row_id is not None:
                await self.make(entity, row_id, source, target)
                return

    async def make(self, entity: str, row_id: str, source: str, target: str) -> None:
        table, column, needs = TABLES.get(entity, entity), STATE_COLUMN[entity], NEEDS.get((entity, target), "")
        await self.conn.execute(f"update {table} set {column} = '{target}'{needs} where id = $1", row_id)
        self.made.add((entity, source, target))

    async def make_on_a_newborn(self, entity: str, source: str, target: str) -> None:
        """The move, made by a row that was born and led there for it."""
        row_id = await self.newborn(entity)
        way = [*way_to(entity, source), target]
        for before, after in pairwise(way):
            await self.make(entity, row_id, before, after)

    async def newborn(self, entity: str) -> str:
        conn = self.conn
        match entity:
            case "rider":
                row_id = await person(conn, "Rider")
                await conn.execute(RIDER, row_id, "town")
                return row_id
            case "session":
                return str(await conn.fetchval(f"{SESSION} returning id", self.town.customer_ids[0]))
            case "review":
                return await self.order_under_review()
        placed = await place(conn, self.town)
        if entity == "offer":
            return str(await conn.fetchval(f"{OFFER} returning id", placed.delivery_id, self.town.rider_ids[0]))
        return {
            "order": placed.order_id, "line": placed.line_ids[0], "delivery": placed.delivery_id,
            "payment": placed.payment_id,
        }[entity]  # fmt: skip

    async def order_under_review(self) -> str:
        """The review of a fresh order; the block that asked for it is lifted again."""
        customer_id = self.town.customer_ids[0]
        block_id = await self.conn.fetchval(UNDER_REVIEW, customer_id, self.town.manager_id)
        placed = await place(self.conn, self.town)
        await self.conn.execute("update block set lifted_at = now() where id = $1", block_id)
        return str(await self.conn.fetchval("select id from review where order_id = $1", placed.order_id))

    async def edit(self) -> None:
        table = self.chance.choice(list(EDITS))
        edit = self.chance.choice(EDITS[table])
        row_id = await self.one_of(table)
        if row_id is not None:
            await self.conn.execute(f"update {table} set {edit}{'' if ' where ' in edit else ' where id = $1'}", row_id)

    async def insert(self) -> None:
        town, conn = self.town, self.conn
        match self.chance.randrange(8):
            case 0:
                await conn.execute(GRANT, town.customer_ids[0], "cook", f"kitchen:{town.kitchen_id}")
            case 1:
                await conn.execute(SESSION, town.customer_ids[0])
            case 2:
                await conn.execute(BLOCK, town.manager_id)
            case 3:
                await conn.execute(SECURITY)
            case 4:
                delivery_id = await self.one_of("delivery", "status in ('waiting', 'offered')")
                if delivery_id is not None:
                    await conn.execute(OFFER, delivery_id, self.chance.choice(town.rider_ids))
            case _:
                await place(conn, town, customer=self.chance.randrange(len(town.customer_ids)))

    async def delete(self) -> None:
        table = self.chance.choice(list(DELETES))
        row_id = await self.one_of(table, DELETES[table].format(town=self.town))
        if row_id is not None and self.chance.random() < 0.3:
            await self.conn.execute(f"delete from {table} where id = $1", row_id)


def topics_of(town: Town, order_ids: Iterable[str]) -> list[Topic]:
    """Topics of every kind."""
    names = [f"kitchen:{town.kitchen_id}", f"menu:{town.kitchen_id}", "operations:town", "operations:moved"]
    names += [f"customer:{one}" for one in town.customer_ids] + [f"rider:{one}" for one in town.rider_ids]
    names += ["administration", f"user:{town.customer_ids[0]}", f"user:{town.manager_id}"]
    names += [f"order:{order_id}" for order_id in order_ids]
    return [topic for name in names if (topic := parse_topic(name)) is not None]


def folded(topic: Topic, reading: Reading) -> TopicFold:
    """A fold that begins with a snapshot."""
    old: Present = reading.present
    told = [one for page in old.pages for one in msgspec.json.decode(page, type=list[Told])]
    fold = TopicFold(str(topic))
    fold.snapshot(old.epoch, old.offset, told, msgspec.convert(old.gone, list[Told]))
    return fold


def state(fold: TopicFold) -> dict[tuple[str, str], tuple[int, Any]]:
    return {key: held for key, held in fold.held.items() if held[1] is not None}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=2, application="tests")
    await database.start()
    yield database
    await database.stop()


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_old_snapshot_and_its_changes_make_a_fresh_one(
    database: Database, database_url: str, redis_url: str, seed: int
):
    conn = await asyncpg.connect(database_url)
    town = await found(conn, items=3)
    await conn.execute("update rider set name = 'Kept' where id = $1", town.rider_ids[1])
    orders = [(await place(conn, town, customer=at % 2)).order_id for at in range(4)]
    await conn.execute("select setseed($1)", seed / 10)
    walk = Walk(conn=conn, town=town, chance=random.Random(seed))
    topics = topics_of(town, orders)
    cuts: list[tuple[Topic, TopicFold]] = []
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        for number in range(STEPS):
            await (walk.make_on_a_newborn(*EDGES[number]) if number < len(EDGES) else walk.step())
            if walk.chance.random() < CUT_CHANCE:
                topic = walk.chance.choice(topics)
                cuts.append((topic, folded(topic, await read_present(database, topic, epoch=None, offset=None))))
        await sequenced(conn)
    fresh = {
        str(topic): folded(topic, await read_present(database, topic, epoch=None, offset=None)) for topic in topics
    }
    for topic, fold in cuts:
        missed = (await read_present(database, topic, epoch=int(fold.epoch or 0), offset=fold.offset)).present
        assert missed.is_recovered
        changes = [change for page in missed.pages for change in msgspec.json.decode(page, type=list[Change])]
        fold.replay(missed.epoch, missed.offset, changes)
        assert fold.tally.is_clean, (topic, fold.tally)
        assert state(fold) == state(fresh[str(topic)]), topic
    assert {topic.kind for topic, _ in cuts} == set(TopicKind)
    assert sum(fold.tally.applied for _, fold in cuts) > STEPS
    await assert_membership_is_said_twice_the_same(conn)
    assert walk.made == set(EDGES)
    await conn.close()


async def assert_membership_is_said_twice_the_same(conn: Connection) -> None:
    """The database's `topics_of(row)` and the conditions of the snapshots name the same rows, topic by topic."""
    known = [topic for name in await conn.fetchval(WORDS) if (topic := parse_topic(name)) is not None]
    for entity, kinds in VIEWS.items():
        table = TABLES.get(entity, entity)
        said: dict[str, set[str]] = {}
        for row in await conn.fetch(f"select id::text, topics_of(t) as topics from {table} t"):
            for name in row["topics"]:
                said.setdefault(name, set()).add(row["id"])
        assert {parse_topic(name).kind for name in said} <= set(kinds), entity  # type: ignore[union-attr]
        for topic in known:
            if topic.kind in kinds:
                query = f"select id::text from {table} where {CONDITIONS[topic.kind, entity]}".replace(":key", "$1")
                shown = {row["id"] for row in await conn.fetch(query, topic.key)}
                assert shown == said.get(str(topic), set()), (entity, str(topic))


async def test_the_database_knows_the_moves_of_the_domain(database_url: str):
    conn = await asyncpg.connect(database_url)
    try:
        assert {tuple(row) for row in await conn.fetch(MOVES)} == set(legal_moves())
    finally:
        await conn.close()


@pytest.mark.parametrize("fault", ["lost", "swapped", "twice", "stale"])
def test_the_fold_notices_what_is_wrong(fault: str):
    """The oracle of this file finds a planted fault."""
    changes = [
        Change(
            topic="t", epoch=1, offset=at, entity="item", id="i", version=at, op="put",
            row=orjson.loads(f'{{"id":"i","version":{at}}}'),
        )
        for at in range(1, 6)
    ]  # fmt: skip
    match fault:
        case "lost":
            del changes[2]
        case "swapped":
            changes[2], changes[3] = changes[3], changes[2]
        case "twice":
            changes.insert(3, changes[2])
        case "stale":
            changes[4] = msgspec.structs.replace(changes[4], version=2)
    fold = TopicFold("t")
    fold.snapshot(1, 0, [], [])
    for change in changes:
        fold.change(change)
    fold.reach(5)
    assert not fold.tally.is_clean
