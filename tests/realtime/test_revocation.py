"""Every way a right ends, driven as its user would, on two workers: after its place nothing reaches the socket (I7).

the two workers: one of each of two hubs, or both of one hub
a writer changes the topic all the while; the log says which changes stand before the end of the right, and which
behind it: a socket hears all of the first and none of the second; a witness at the same worker hears both
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.client.errors import ConnectRefused
from hub.embedded.engines import Engines
from tests.caller import Caller
from tests.realtime.two_hubs import SESSION, Listener, Pair, pair_of_hubs, token_of, writing
from tests.signing import session_of
from tests.town import GRANT, ITEMS, person, place, sequenced, until

Listen = Callable[[int, str], Awaitable[Listener]]
# The last offset of a topic that stands in the log before the last change of a right.
LAST_BEFORE = """
select max(told.topic_offset) from change c, unnest(c.topics, c.offsets) as told(topic, topic_offset)
where told.topic = $1 and c.pos < (select max(pos) from change where entity = $2 and entity_id = $3)
"""
# As much as the hub's bound holds for one socket, so many times that the kernel holds no more either.
TIMES, TURNS = 20, 25
FLOOD = f"""
do $$ begin for turn in 1..{TURNS} loop
    update item set name = repeat('x', 200) || turn where kitchen_id = '{{town.kitchen_id}}';
end loop; end $$
"""
MANY = 1_500  # dishes: several pages
WAITING = "select exists (select from pg_locks where not granted and relation = 'item'::regclass)"


@pytest.fixture(scope="module", params=["two hubs", "two workers of one hub"])
async def pair(request: pytest.FixtureRequest, engines: Engines, new_database: Any) -> AsyncIterator[Pair]:
    """Two workers, at two addresses or at one."""
    hubs = 2 if request.param == "two hubs" else 1
    redis_url = engines.redis_url_of(13 + hubs)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(await new_database(), redis_url, hubs=hubs, hub_workers=3 - hubs) as both:
        yield both


@pytest.fixture
async def listen(pair: Pair) -> AsyncIterator[Listen]:
    """Joins at worker 0 or 1 by a token."""
    async with AsyncExitStack() as sockets:
        yield lambda worker, token: pair.listen(sockets, worker, token)


@pytest.fixture
async def http(pair: Pair) -> AsyncIterator[aiohttp.ClientSession]:
    """The API, at whichever worker answers."""
    async with aiohttp.ClientSession(pair.urls[0]) as session:
        yield session


async def at_both(listen: Listen, token: str, topic: str) -> list[Listener]:
    """One person at each worker, following a topic."""
    both = [await listen(worker, token) for worker in (0, 1)]
    for one in both:
        answer, pages = await one.subscribe(topic), 1
        while answer.get("more"):
            answer, pages = await one.subscribe(topic, page=pages), pages + 1
    return both


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Somebody whose right ends, and who may end it."""

    cook: Caller
    grant_id: str
    session_id: str
    boss: Caller

    async def take_the_role(self) -> tuple[str, str]:
        answer = await self.boss.send("DELETE", f"/roles/{self.grant_id}", None, {})
        assert answer.status == 200, answer.body
        return "grant", self.grant_id

    async def change_the_role(self) -> tuple[str, str]:
        await self.boss.done("/roles", {"person_id": self.cook.person_id, "role": "customer", "scope": "own"})
        return await self.take_the_role()

    async def disable_the_account(self) -> tuple[str, str]:
        body = b'{"is_active": false, "reason": "has left the house"}'
        answer = await self.boss.send("PATCH", f"/users/{self.cook.person_id}", body, {})
        assert answer.status == 200, answer.body
        return "user", str(self.cook.person_id)

    async def log_out(self) -> tuple[str, str]:
        await self.cook.done("/auth/logout")
        return "session", self.session_id

    async def end_the_session_from_the_list(self) -> tuple[str, str]:
        answer = await self.cook.send("DELETE", f"/me/sessions/{self.session_id}", None, {})
        assert answer.status == 200, answer.body
        return "session", self.session_id


async def ending_of(pair: Pair, http: aiohttp.ClientSession) -> Ending:
    cook_id = await person(pair.conn, "Cook")
    return Ending(
        cook=Caller(session=http, person_id=cook_id), session_id=session_of(cook_id),
        grant_id=await pair.conn.fetchval(GRANT, cook_id, "cook", f"kitchen:{pair.town.kitchen_id}"),
        boss=Caller(session=http, person_id=await person(pair.conn, "Boss", ("administrator", "*"))),
    )  # fmt: skip


GONE = {
    "user": {"code": "auth.disabled", "reconnect": False},
    "session": {"code": "auth.revoked", "reconnect": False},
}


async def is_over(cook: Listener, topic: str, entity: str) -> None:
    """The socket was told that its right has ended; whatever it would still be sent has come by then."""
    if entity == "grant":
        assert await cook.until(lambda: cook.told("revoked")) == [{"topic": topic, "reason": "grant"}]
        assert (await cook.refused("subscribe", {"topic": topic})).code == "forbidden"
    else:
        await cook.until(lambda: cook.socket.is_lost)
        assert cook.told("closing") == [GONE[entity]]


@pytest.mark.parametrize(
    "end",
    [
        Ending.take_the_role,
        Ending.change_the_role,
        Ending.disable_the_account,
        Ending.log_out,
        Ending.end_the_session_from_the_list,
    ],
    ids=lambda end: end.__name__.replace("_", " "),
)
async def test_a_right_that_ends_over_the_api_ends_at_its_place(
    pair: Pair, listen: Listen, http: aiohttp.ClientSession, end: Callable[[Ending], Awaitable[tuple[str, str]]]
):
    ending = await ending_of(pair, http)
    cooks = await at_both(listen, token_of(str(ending.cook.person_id)), pair.topic)
    witnesses = await at_both(listen, token_of(str(ending.boss.person_id)), pair.topic)
    async with writing(pair) as writer:
        await writer.more()
        entity, entity_id = await end(ending)
        await writer.more()
    await pair.rename("the last")
    for witness in witnesses:
        await witness.until(lambda witness=witness: "the last" in witness.names(pair.topic))
    for cook in cooks:
        await is_over(cook, pair.topic, entity)
    await sequenced(pair.conn)
    last = await pair.conn.fetchval(LAST_BEFORE, pair.topic, entity, entity_id)
    for cook, witness in zip(cooks, witnesses, strict=True):
        heard, told = witness.offsets(pair.topic), cook.offsets(pair.topic)
        assert told == list(range(told[0], last + 1))
        assert heard == list(range(heard[0], heard[-1] + 1))
        assert told[0] <= heard[0] < last < heard[-1]


@pytest.mark.parametrize(
    ("damage", "entity"),
    [
        ("delete from role_grant where person_id = $1", "grant"),
        ("update role_grant set role = 'customer', scope = 'own' where person_id = $1", "grant"),
        ("update person set is_active = false where id = $1", "user"),
        (
            "update session set state = 'revoked', revoked_at = clock_timestamp() where person_id = $1",
            "session",
        ),
    ],
    ids=["the grant is removed", "the role is changed", "the account is disabled", "the session is revoked"],
)
async def test_a_right_that_ends_between_two_changes_of_one_commit_parts_them(
    pair: Pair, listen: Listen, http: aiohttp.ClientSession, damage: str, entity: str
):
    ending = await ending_of(pair, http)
    cooks = await at_both(listen, token_of(str(ending.cook.person_id)), pair.topic)
    witnesses = await at_both(listen, token_of(str(ending.boss.person_id)), pair.topic)
    async with pair.conn.transaction():
        await pair.rename("before")
        await pair.conn.execute(damage, ending.cook.person_id)
        await pair.rename("after")
    for witness in witnesses:
        await witness.until(lambda witness=witness: witness.names(pair.topic) == ["before", "after"])
    for cook in cooks:
        await is_over(cook, pair.topic, entity)
        assert cook.names(pair.topic) == ["before"]


async def test_a_log_out_ends_the_sockets_of_its_session_alone(pair: Pair, listen: Listen, http: aiohttp.ClientSession):
    boss_id = await person(pair.conn, "Boss", ("administrator", "*"))
    staying = await pair.conn.fetchval(SESSION, boss_id)
    gone = await at_both(listen, token_of(boss_id), pair.topic)
    kept = await at_both(listen, token_of(boss_id, session_id=staying), pair.topic)
    await Caller(session=http, person_id=boss_id).done("/auth/logout")
    for one in gone:
        await is_over(one, pair.topic, "session")
    await pair.rename("after the log-out")
    for one in kept:
        await one.until(lambda one=one: one.names(pair.topic) == ["after the log-out"])
    assert [one.names(pair.topic) for one in gone] == [[], []]
    with pytest.raises(ConnectRefused, match=r"auth\.revoked"):
        await listen(1, token_of(boss_id))


async def test_an_unassigned_rider_hears_the_order_leave_and_no_more(
    pair: Pair, listen: Listen, http: aiohttp.ClientSession
):
    first, second = pair.town.rider_ids
    placed = await place(pair.conn, pair.town)
    delivery_id = placed.delivery_id
    riders = await at_both(listen, token_of(first), f"rider:{first}")
    nexts = await at_both(listen, token_of(second), f"rider:{second}")
    manager = Caller(session=http, person_id=pair.town.manager_id)
    await manager.done(f"/orders/{placed.order_id}/accept")
    await manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": first})
    await manager.done(f"/deliveries/{delivery_id}/unassign", {"reason": "a flat tyre"})
    await manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": second})
    for one in nexts:
        await one.until(lambda one=one: [c for c in one.changes(f"rider:{second}") if c["entity"] == "delivery"])
    for rider in riders:
        await rider.until(lambda rider=rider: [c for c in rider.changes(f"rider:{first}") if c["op"] == "out"])
        await rider.subscribe(f"rider:{first}")  # whatever was on its way has come
        of_delivery = [c for c in rider.changes(f"rider:{first}") if c["id"] == delivery_id]
        assert [change["op"] for change in of_delivery] == ["put", "out"]
        assert "row" not in of_delivery[-1]


async def test_a_client_that_does_not_read_finds_nothing_of_after_the_place(
    pair: Pair, listen: Listen, http: aiohttp.ClientSession
):
    ending, topic = await ending_of(pair, http), pair.topic
    (cook, _), (witness, _) = [
        await at_both(listen, token_of(str(one.person_id)), topic) for one in (ending.cook, ending.boss)
    ]
    cook.socket.pause()
    changes = TURNS * len(pair.town.item_ids)
    for times in range(1, TIMES + 1):
        await pair.conn.execute(FLOOD.format(town=pair.town))
        await witness.until(lambda times=times: len(witness.offsets(topic)) == times * changes)
    grant, grant_id = await ending.take_the_role()
    await pair.rename("after")
    await witness.until(lambda: "after" in witness.names(topic))
    cook.socket.resume()
    await is_over(cook, topic, grant)
    last = await pair.conn.fetchval(LAST_BEFORE, topic, grant, grant_id)
    heard = cook.offsets(topic)
    assert 0 < len(heard) < TIMES * changes  # the hub held no more for it
    assert max(heard) < last < witness.offsets(topic)[-1]


async def test_whoever_takes_page_after_page_gets_none_after_the_place(
    pair: Pair, listen: Listen, http: aiohttp.ClientSession
):
    ending = await ending_of(pair, http)
    town = pair.town
    await pair.conn.execute(ITEMS, town.kitchen_id, town.brand_id, town.station_id, MANY, "Many ")
    await sequenced(pair.conn)
    witness, _ = await at_both(listen, token_of(str(ending.boss.person_id)), pair.topic)
    cook = await listen(0, token_of(str(ending.cook.person_id)))
    assert (await cook.subscribe(pair.topic))["more"]
    await ending.take_the_role()
    await cook.until(lambda: cook.told("revoked"))
    await pair.rename("after")
    await witness.until(lambda: "after" in witness.names(pair.topic))
    assert (await cook.refused("subscribe", {"topic": pair.topic, "page": 1})).code == "forbidden"
    await is_over(cook, pair.topic, "grant")
    assert cook.changes(pair.topic) == []
    await pair.conn.execute("delete from item where kitchen_id = $1 and name like 'Many %'", town.kitchen_id)
    await sequenced(pair.conn)


async def test_whoever_is_still_joining_gets_neither_the_state_nor_what_follows(
    pair: Pair, listen: Listen, http: aiohttp.ClientSession
):
    ending = await ending_of(pair, http)
    witness, _ = await at_both(listen, token_of(str(ending.boss.person_id)), pair.topic)
    cook = await listen(0, token_of(str(ending.cook.person_id)))
    async with pair.conn.transaction():
        await pair.conn.execute("lock table item in access exclusive mode")
        joining = asyncio.create_task(cook.refused("subscribe", {"topic": pair.topic}))
        await until(partial(pair.conn.fetchval, WAITING))  # the hub reads the state, and gets no further
        await ending.take_the_role()
        await cook.until(lambda: cook.told("revoked"))
        await pair.rename("after")
    assert (await joining).code == "forbidden"
    await witness.until(lambda: "after" in witness.names(pair.topic))
    await is_over(cook, pair.topic, "grant")
    assert cook.changes(pair.topic) == []


async def test_both_workers_hold_sockets(pair: Pair, listen: Listen):
    """Else the tests above would prove half of what they say."""
    boss_id = await person(pair.conn, "Boss", ("administrator", "*"))
    workers = [(hub.port, worker) for hub in pair.hubs for worker in hub.workers()]
    held = [[0, 0]]
    for worker in (0, 1, 1):
        await listen(worker, token_of(boss_id))
        rows = [(port, one.net_connections("tcp")) for port, one in workers]
        held.append(
            [sum(row.laddr.port == port and row.status == "ESTABLISHED" for row in each) for port, each in rows]
        )
    assert [held[2][0] - held[1][0], held[2][1] - held[1][1]] == [0, 1]
    assert [held[3][0] - held[2][0], held[3][1] - held[2][1]] == [0, 1]
