"""What a move costs: at most two statements, each by its indexes, whatever the tables hold."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from db import (
    deliveries,
    delivery_moves,
    idempotency,
    lines,
    offer_moves,
    order_moves,
    orders,
    people,
    pipeline,
    placing,
    riders,
    upkeep,
)
from db.statement import Statement
from hub.settings import Settings
from tests.course import Cast, cast_of, delivery_of, offered
from tests.town import found, opened, sequencing

CONNECTIONS = Settings.model_fields["database_pool_size"].default
# What asyncpg asks once per connection, to learn the types.
ONCE = re.compile(r"'jit'|typeinfo_tree")
NOTHING = str(uuid4())
NOW = '{"actor": "test"}'
REACH = {"everywhere": False, "kitchen_ids": [NOTHING], "regions": [], "owner_id": None}
KEYED = {"principal_id": NOTHING, "key": "k", "request_hash": b"h", "context": NOW}
MOVE = KEYED | REACH | {"version": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A cast whose hub's statements are written down."""

    cast: Cast
    statements: list[str]

    async def cost_of(self, path: str, body: dict[str, Any] | None = None, *, who: str) -> list[str]:
        """The statements of one write; who somebody is was read just before, as for any caller who is busy."""
        caller = getattr(self.cast, who)
        await caller.get("/me")
        self.statements.clear()
        await caller.done(path, body)
        return [one for one in self.statements if one != people.AUTHORITY.sql and not ONCE.search(one)]


@pytest.fixture
async def watched(database_url: str, redis_url: str) -> AsyncIterator[Watched]:
    """A hub of its own; every connection of its pool is listened to."""
    said: list[str] = []
    conn = await asyncpg.connect(database_url)
    async with (
        sequencing(database_url, redis_url),
        opened(database_url, redis_url) as (url, app),
        aiohttp.ClientSession(url) as session,
    ):
        database, everybody = app.ctx.house.database, asyncio.Barrier(CONNECTIONS)

        async def listen() -> None:
            async with database.connection() as one:  # a task has a connection of its own
                await everybody.wait()
                one.add_query_logger(lambda record: said.append(record.query))

        await asyncio.gather(*(listen() for _ in range(CONNECTIONS)))
        yield Watched(cast=await cast_of(conn, session, await found(conn)), statements=said)
    await conn.close()


async def test_every_move_takes_at_most_two_statements(watched: Watched) -> None:
    cast, costs = watched.cast, {}

    async def note(name: str, path: str, body: dict[str, Any] | None = None, *, who: str = "manager") -> None:
        costs[name] = await watched.cost_of(path, body, who=who)

    await note("place", "/orders", cast.basket(1), who="customer")
    row = await cast.conn.fetchrow("select id::text, code from orders")
    order_id, line_id = row["id"], await cast.conn.fetchval("select id::text from order_line")
    delivery_id = await delivery_of(cast, order_id)
    await note("accept", f"/orders/{order_id}/accept")
    await note("delay", f"/orders/{order_id}/delay", {"minutes": 1, "reason": "busy"})
    offer_id = await offered(cast, delivery_id, cast.rider.person_id or "")
    await note("take", f"/offers/{offer_id}/accept", who="rider")
    await cast.conn.execute("update order_line set state = 'fired' where id = $1", line_id)
    for move in ("start", "done", "check"):
        await note(move, f"/lines/{line_id}/{move}")
    await note("arrive", f"/deliveries/{delivery_id}/arrive", who="rider")
    await note("pick-up", f"/deliveries/{delivery_id}/pick-up", {"code": row["code"]}, who="rider")
    await note("at-door", f"/deliveries/{delivery_id}/at-door", who="rider")
    await note("deliver", f"/deliveries/{delivery_id}/deliver", {"reason": "left"}, who="rider")
    await note("pause", f"/kitchens/{cast.town.kitchen_id}/pause", {"minutes": 1, "reason": "rush"})
    assert len(costs.pop("place")) == 2
    assert {name: len(statements) for name, statements in costs.items()} == dict.fromkeys(costs, 1)


# Statements that run at every move, at every round of a process, or at every subscription -> the indexes they need.
HOT: dict[str, tuple[Statement, dict[str, Any], set[str]]] = {
    "price": (placing.BASKET, {"kitchen_id": NOTHING, "item_ids": [NOTHING]}, {"kitchen_pk", "orders_kitchen_open"}),
    "accept": (order_moves.MOVES["accept"], MOVE | {"order_id": NOTHING}, {"orders_pk"}),
    "cancel": (
        order_moves.MOVES["cancel"],
        MOVE | {"order_id": NOTHING, "reason": "x"},
        {"orders_pk", "order_line_order", "delivery_once", "payment_once"},
    ),
    "start": (lines.MOVES["start"], MOVE | {"line_id": NOTHING}, {"orders_pk", "order_line_pk"}),
    "fire": (lines.FIRE, {"context": NOW}, {"order_line_to_fire"}),
    "expire orders": (order_moves.EXPIRE, {"context": NOW}, {"orders_accept_by"}),
    "expire offers": (offer_moves.EXPIRE, {"context": NOW}, {"offer_to_expire"}),
    "archive": (upkeep.ARCHIVE, {"context": NOW}, {"orders_to_archive"}),
    "arrive": (delivery_moves.MOVES["arrive"], MOVE | {"delivery_id": NOTHING}, {"orders_pk", "delivery_pk"}),
    "accept offer": (
        offer_moves.MOVES["accept"],
        KEYED | {"offer_id": NOTHING, "rider_id": NOTHING, "version": None},
        {"orders_pk", "offer_pk", "rider_pk"},
    ),
    "waiting": (deliveries.WAITING, {"region": "town"}, {"delivery_region_open"}),
    "free": (riders.FREE, {"region": "town"}, {"rider_region"}),
    "read an order": (
        orders.ORDER_WHOLE,
        REACH | {"order_id": NOTHING},
        {"orders_pk", "order_line_order", "payment_once"},
    ),
    "track": (orders.TRACKED_WHOLE, {"token_hash": b"x"}, {"tracking_pk", "orders_pk"}),
    "who": (
        people.AUTHORITY,
        {"person_id": NOTHING, "session_ids": [NOTHING]},
        {"person_pk", "role_grant_once", "session_pk"},
    ),
    "repeat": (idempotency.STORED, {"principal_id": NOTHING, "key": "k"}, {"idempotency_pk"}),
    "heads": (pipeline.HEADS, {"topics": ["kitchen:x"]}, {"topic_log"}),
    "replay": (
        pipeline.REPLAY,
        {"topic": "kitchen:x", "after": 1, "until": 9, "most": 9},
        {"topic_log", "audit_event_pk"},
    ),
    "log": (pipeline.LOG_AFTER, {"pos": 1, "most": 9}, {"change_log", "audit_event_pk"}),
    "read": (
        pipeline.READ,
        {**pipeline.unseen_by("9:9:"), "target": None, "after_id": 0, "most": 9},
        {"audit_event_xid"},
    ),
}


# A past of 4,000 orders and a present of 60, written past every trigger.
PAST = """
set session_replication_role = replica;
insert into orders (id, code, region, kitchen_id, kitchen_name, brand_id, brand_name, customer_id, customer_name,
    status, items_count, subtotal_minor, delivery_fee_minor, total_minor, currency, payment_method, drop_lat, drop_lon,
    delivery_pin, placed_at, accept_by, promised_at, ready_expected_at, accepted_at, ready_at, picked_up_at,
    delivered_at, ended_at, archived_at, rider_id, version)
select hotpass_uuid7(), n::text, 'town', md5((n % 40)::text)::uuid, 'K', md5('b')::uuid, 'B',
    md5((n % 900)::text)::uuid, 'C', case when n > 60 then 'delivered' else 'placed' end, 1, 1, 0, 1, 'INR', 'cash',
    1, 1, '0000', t, t, t, t, t, p, p, p, p, p, case when n > 60 then md5((n % 90)::text)::uuid end, 1
from generate_series(1, 4060) n, lateral (select now() - n * interval '1 minute' as t) x,
    lateral (select case when n > 60 then t end as p) y;
insert into order_line (order_id, kitchen_id, station_id, item_id, name, quantity, price_minor, state, position,
    prep_seconds, fire_at, archived_at, version)
select o.id, o.kitchen_id, md5('s')::uuid, md5('i')::uuid, 'D', 1, 1,
    case when o.archived_at is null then 'held' else 'checked' end, 1, 60, o.placed_at, o.archived_at, 1
from orders o, generate_series(1, 2);
insert into payment (order_id, method, state, amount_minor, currency, version)
select id, 'cash', case when archived_at is null then 'due' else 'collected' end, 1, 'INR', 1 from orders;
insert into delivery (order_id, order_code, region, kitchen_id, customer_id, rider_id, status, pickup_name, pickup_lat,
    pickup_lon, drop_lat, drop_lon, distance_metres, cash_due_minor, fee_minor, currency, assigned_at, at_kitchen_at,
    picked_up_at, delivered_at, ended_at, archived_at, version)
select id, code, region, kitchen_id, customer_id, rider_id,
    case when archived_at is null then 'waiting' else status end, 'K', 1, 1, 1, 1, 1, 1, 1, 'INR',
    picked_up_at, picked_up_at, picked_up_at, delivered_at, ended_at, archived_at, 1
from orders;
insert into offer (delivery_id, order_id, order_code, region, kitchen_id, rider_id, state, fee_minor, currency,
    pickup_name, pickup_lat, pickup_lon, drop_lat, drop_lon, distance_metres, approach_metres, ready_expected_at,
    expires_at, version)
select d.id, d.order_id, d.order_code, d.region, d.kitchen_id, md5((row_number() over () % 90)::text)::uuid,
    case when d.archived_at is null then 'live' else 'accepted' end, 1, 'INR', 'K', 1, 1, 1, 1, 1, 1, now(),
    now() + row_number() over () * interval '1 second', 1
from delivery d;
insert into assignment (delivery_id, rider_id, ended_at)
select id, rider_id, ended_at from delivery where rider_id is not null;
insert into rider (id, region, name, home_lat, home_lon, version)
select md5(n::text)::uuid, 'region-' || n % 20, 'R', 1, 1, 1 from generate_series(1, 400) n;
insert into tracking (token_hash, order_id) select sha256(id::text::bytea), id from orders;
insert into idempotency (principal_id, key, request_hash, status, answer) select id, 'k', 'h', 200, '{}' from orders;
set session_replication_role = origin;
analyze;
"""


@pytest.fixture(scope="module")
async def worn(module_database_url: str) -> str:
    """A database that has seen many days."""
    conn = await asyncpg.connect(module_database_url)
    await conn.execute(PAST)
    await conn.close()
    return module_database_url


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_statement_finds_its_rows_by_index(worn: str, name: str) -> None:
    """With sequential scans priced out of the question, one that is still there has no index to use."""
    statement, values, wanted = HOT[name]
    conn = await asyncpg.connect(worn, server_settings={"enable_seqscan": "off", "jit": "off"})
    rows = await conn.fetch("explain " + statement.sql, *statement.arguments(values))
    await conn.close()
    plan = "\n".join(row[0] for row in rows)
    scanned = set(re.findall(r"Seq Scan on (?!product_clock)(\w+)", plan))
    assert not scanned, plan
    used = set(re.findall(r"(?:using|Scan on) (\w+)", plan)) | set(re.findall(r"(topic_log|change_log)_\d+", plan))
    assert wanted <= used, plan
