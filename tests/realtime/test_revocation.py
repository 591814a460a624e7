"""Every way a right ends, on two hub processes: after its place nothing of the topic reaches the socket (I7).

Each test brackets the end of the right by two changes: the first is heard, the second is not, and a witness on the
same hub, who keeps its right, has heard both by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.client.errors import AskRefused, ConnectRefused
from tests.caller import Caller
from tests.realtime.two_hubs import SESSION, Listener, Pair, listen_at, pair_of_hubs, token_of
from tests.town import GRANT, PATIENCE_SECONDS, person, place

PER_PERSON, PER_ADDRESS = 6, 16
GRACE_SECONDS = 4
SHORT_SECONDS = 3  # the life of a token or a grant that shall run out: time enough to join on a busy machine
Listen = Callable[..., Awaitable[Listener]]


@pytest.fixture(scope="module")
async def pair(engines, module_database_url: str) -> AsyncIterator[Pair]:
    """Two hubs that allow few connections and a short grace."""
    redis_url = engines.redis_url_of(14)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    limits = {"connections_per_person": PER_PERSON, "connections_per_address": PER_ADDRESS}
    async with pair_of_hubs(module_database_url, redis_url, token_grace_seconds=GRACE_SECONDS, **limits) as both:
        yield both


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Joins hub 0 or 1 of the pair by a token."""
    async with AsyncExitStack() as sockets:

        async def join(pair: Pair, hub: int, token: str) -> Listener:
            return await listen_at(sockets, pair.hubs[hub].url, token)

        yield join


async def witnesses(pair: Pair, listen: Listen) -> list[Listener]:
    """One at each hub whose right to the kitchen lasts."""
    boss_id = await person(pair.conn, "Boss", ("administrator", "*"))
    bosses = [await listen(pair, hub, token_of(boss_id)) for hub in (0, 1)]
    for boss in bosses:
        await boss.subscribe(pair.topic)
    return bosses


async def heard_by_all(bosses: list[Listener], topic: str, changes: int) -> None:
    for boss in bosses:
        await boss.until(lambda boss=boss: len(boss.names(topic)) == changes)


@pytest.mark.parametrize(
    ("damage", "event", "told"),
    [
        ("delete from role_grant where person_id = $1", "revoked", {"reason": "grant"}),
        ("update role_grant set role = 'customer', scope = 'own' where person_id = $1", "revoked", {"reason": "grant"}),
        ("update person set is_active = false where id = $1", "closing", {"code": "auth.disabled", "reconnect": False}),
        (
            "update session set state = 'revoked', revoked_at = clock_timestamp() where person_id = $1",
            "closing",
            {"code": "auth.revoked", "reconnect": False},
        ),
    ],
    ids=["the grant is removed", "the role is changed", "the account is disabled", "the session is revoked"],
)
async def test_a_right_ends_at_its_place_on_both_hubs(pair: Pair, listen: Listen, damage: str, event: str, told: dict):
    cook_id = await person(pair.conn, "Cook", ("cook", f"kitchen:{pair.town.kitchen_id}"))
    session_id = await pair.conn.fetchval(SESSION, cook_id)
    cooks = [await listen(pair, hub, token_of(cook_id, session_id=session_id)) for hub in (0, 1)]
    bosses = await witnesses(pair, listen)
    for cook in cooks:
        await cook.subscribe(pair.topic)
    async with pair.conn.transaction():
        await pair.rename("before")
        await pair.conn.execute(damage, cook_id)
        await pair.rename("after")
    await heard_by_all(bosses, pair.topic, 2)
    for cook in cooks:
        (said,) = await cook.until(lambda cook=cook: cook.told(event))
        assert told.items() <= said.items()
        assert cook.names(pair.topic) == ["before"]
        if event == "closing":
            await cook.until(lambda cook=cook: cook.socket.is_lost)
        else:
            with pytest.raises(AskRefused, match="forbidden"):
                await cook.subscribe(pair.topic)


async def test_a_log_out_ends_the_sockets_of_its_session_alone(pair: Pair, listen: Listen):
    boss_id = await person(pair.conn, "Boss", ("administrator", "*"))
    leaving, staying = [await pair.conn.fetchval(SESSION, boss_id) for _ in range(2)]
    gone = [await listen(pair, hub, token_of(boss_id, session_id=leaving)) for hub in (0, 1)]
    kept = [await listen(pair, hub, token_of(boss_id, session_id=staying)) for hub in (0, 1)]
    for one in (*gone, *kept):
        await one.subscribe(pair.topic)
    headers = {"Authorization": f"Bearer {token_of(boss_id, session_id=leaving)}", "Idempotency-Key": leaving}
    async with (
        aiohttp.ClientSession() as http,
        http.post(pair.hubs[0].url + "/v1/auth/logout", headers=headers) as said,
    ):
        assert said.status == 200
    for one in gone:
        await one.until(lambda one=one: one.socket.is_lost)
        assert one.told("closing") == [{"code": "auth.revoked", "reconnect": False}]
    await pair.rename("after the log-out")
    await heard_by_all(kept, pair.topic, 1)
    assert [one.names(pair.topic) for one in gone] == [[], []]
    with pytest.raises(ConnectRefused, match=r"auth\.revoked"):
        await listen(pair, 1, token_of(boss_id, session_id=leaving))


async def test_an_unassigned_rider_hears_the_order_leave_and_no_more(pair: Pair, listen: Listen):
    first, second = pair.town.rider_ids
    placed = await place(pair.conn, pair.town)
    delivery_id = placed.delivery_id
    riders = [await listen(pair, hub, token_of(first)) for hub in (0, 1)]
    nexts = [await listen(pair, hub, token_of(second)) for hub in (0, 1)]
    for one, rider_id in ((riders[0], first), (riders[1], first), (nexts[0], second), (nexts[1], second)):
        await one.subscribe(f"rider:{rider_id}")
    async with aiohttp.ClientSession(pair.hubs[0].url) as http:
        manager = Caller(session=http, person_id=pair.town.manager_id)
        await manager.done(f"/orders/{placed.order_id}/accept")
        await manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": first})
        await manager.done(f"/deliveries/{delivery_id}/unassign", {"reason": "a flat tyre"})
        await manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": second})
    for one in nexts:
        await one.until(lambda one=one: [c for c in one.changes(f"rider:{second}") if c["entity"] == "delivery"])
    for rider in riders:
        told = await rider.until(lambda rider=rider: [c for c in rider.changes(f"rider:{first}") if c["op"] == "out"])
        assert "delivery" in {change["entity"] for change in told}
        of_delivery = [c for c in rider.changes(f"rider:{first}") if c["id"] == delivery_id]
        assert [change["op"] for change in of_delivery] == ["put", "out"]
        assert "row" not in of_delivery[-1]


async def test_a_token_that_runs_out_is_told_then_the_socket_goes_after_its_grace(pair: Pair, listen: Listen):
    cook_id = await person(pair.conn, "Cook", ("cook", f"kitchen:{pair.town.kitchen_id}"))
    cooks = [await listen(pair, hub, token_of(cook_id, lifetime_seconds=SHORT_SECONDS)) for hub in (0, 1)]
    for cook in cooks:
        await cook.subscribe(pair.topic)
    for cook in cooks:
        await cook.until(lambda cook=cook: cook.told("expiring"))
        await cook.until(lambda cook=cook: cook.socket.is_lost)
        assert cook.told("closing") == [{"code": "auth.expired", "reconnect": True}]
    bosses = await witnesses(pair, listen)
    await pair.rename("after the grace")
    await heard_by_all(bosses, pair.topic, 1)
    assert [cook.names(pair.topic) for cook in cooks] == [[], []]


async def test_a_new_token_on_the_live_socket_keeps_it(pair: Pair, listen: Listen):
    cook_id = await person(pair.conn, "Cook", ("cook", f"kitchen:{pair.town.kitchen_id}"))
    kept, lost = [await listen(pair, hub, token_of(cook_id, lifetime_seconds=SHORT_SECONDS)) for hub in (0, 1)]
    stranger_id = await person(pair.conn, "Stranger")
    for cook in (kept, lost):
        await cook.subscribe(pair.topic)
        await cook.until(lambda cook=cook: cook.told("expiring"))
    with pytest.raises(AskRefused, match="forbidden"):
        await kept.socket.ask("authenticate", {"token": token_of(stranger_id)})
    answer = await kept.socket.ask("authenticate", {"token": token_of(cook_id)})
    assert answer["ok"] and answer["expires_at"] > kept.told("expiring")[0]["at"]
    await lost.until(lambda: lost.socket.is_lost)
    await pair.rename("later")
    await kept.until(lambda: kept.names(pair.topic))
    assert not kept.socket.is_lost and kept.told("closing") == []


async def test_a_grant_that_runs_out_closes_its_topics(pair: Pair, listen: Listen):
    cook_id = await person(pair.conn, "Cook")
    grant_id = await pair.conn.fetchval(GRANT, cook_id, "cook", f"kitchen:{pair.town.kitchen_id}")
    await pair.conn.execute(
        "update role_grant set expires_at = clock_timestamp() + interval '1 second' * $2 where id = $1",
        grant_id,
        SHORT_SECONDS,
    )
    cooks = [await listen(pair, hub, token_of(cook_id)) for hub in (0, 1)]
    for cook in cooks:
        await cook.subscribe(pair.topic)
    for cook in cooks:
        assert await cook.until(lambda cook=cook: cook.told("revoked")) == [{"topic": pair.topic, "reason": "expired"}]
    bosses = await witnesses(pair, listen)
    await pair.rename("after")
    await heard_by_all(bosses, pair.topic, 1)
    assert [cook.names(pair.topic) for cook in cooks] == [[], []]


async def joins(pair: Pair, listen: Listen, person_id: str) -> Listener | None:
    """A listener at the first hub, or None where there is no room."""
    try:
        return await listen(pair, 0, token_of(person_id))
    except ConnectRefused as refused:
        if refused.code != "too_many_connections":
            raise
        return None


async def room(pair: Pair, listen: Listen, person_id: str) -> Listener:
    """The first listener that finds room again."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (joined := await joins(pair, listen, person_id)) is None:
            pass
    return joined


async def test_nobody_holds_more_connections_than_allowed(pair: Pair, listen: Listen):
    greedy, modest = await person(pair.conn, "Greedy"), await person(pair.conn, "Modest")
    held = [await room(pair, listen, greedy) for _ in range(PER_PERSON)]
    assert await joins(pair, listen, greedy) is None
    assert await joins(pair, listen, modest) is not None
    held[0].socket.abort()
    assert await room(pair, listen, greedy)


async def test_no_address_holds_more_connections_than_allowed(pair: Pair, listen: Listen):
    crowd = [await person(pair.conn, "One of many") for _ in range(PER_ADDRESS + 1)]
    held = [await room(pair, listen, one) for one in crowd[:-1]]
    assert await joins(pair, listen, crowd[-1]) is None
    held[0].socket.abort()
    assert await room(pair, listen, crowd[-1])
