"""What runs out by itself: a token is warned of, then its grace is all it has; a grant takes its topics with it.

The database's time of the changes (`at`) is the clock that is asked: one heard is proof that the socket was still open
then, one that only a witness of the same worker heard, that it was closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.embedded.engines import Engines
from hub.realtime.sockets import LOOK_SECONDS
from tests.caller import Caller
from tests.realtime.two_hubs import Listener, Pair, pair_of_hubs, token_of, writing
from tests.town import person

Listen = Callable[[int, str], Awaitable[Listener]]
GRACE_SECONDS = 2
SHORT_SECONDS = 3  # the life of a token or a grant that shall run out: time enough to join on a busy machine


@pytest.fixture(scope="module")
async def pair(engines: Engines, module_database_url: str) -> AsyncIterator[Pair]:
    """Two workers of one hub, and a short grace."""
    redis_url = engines.redis_url_of(16)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    settings = {"hub_workers": 2, "token_grace_seconds": GRACE_SECONDS}
    async with pair_of_hubs(module_database_url, redis_url, hubs=1, **settings) as both:
        yield both


@pytest.fixture
async def listen(pair: Pair) -> AsyncIterator[Listen]:
    """Joins at worker 0 or 1 by a token, following the kitchen."""
    async with AsyncExitStack() as sockets:

        async def join(worker: int, token: str) -> Listener:
            one = await pair.listen(sockets, worker, token)
            await one.subscribe(pair.topic)
            return one

        yield join


async def cook_of(pair: Pair) -> str:
    return await person(pair.conn, "Cook", ("cook", f"kitchen:{pair.town.kitchen_id}"))


async def witness_of(pair: Pair, listen: Listen, worker: int) -> Listener:
    return await listen(worker, token_of(await person(pair.conn, "Boss", ("administrator", "*"))))


def last_at(one: Listener, topic: str) -> float:
    """When the last change that somebody heard was made, in seconds since 1970."""
    return datetime.fromisoformat(one.changes(topic)[-1]["at"]).timestamp()


async def test_a_token_that_runs_out_is_told_then_the_socket_goes_within_its_grace(pair: Pair, listen: Listen):
    witnesses = [await witness_of(pair, listen, worker) for worker in (0, 1)]
    cook_id = await cook_of(pair)
    cooks = [await listen(worker, token_of(cook_id, lifetime_seconds=SHORT_SECONDS)) for worker in (0, 1)]
    async with writing(pair) as writer:
        for cook in cooks:
            await cook.until(lambda cook=cook: cook.socket.is_lost)
        await writer.more()
    await pair.rename("the last")
    for cook, witness in zip(cooks, witnesses, strict=True):
        await witness.until(lambda witness=witness: "the last" in witness.names(pair.topic))
        told = [event for event in cook.events if event[0] in {"expiring", "closing"}]
        expires_at = told[0][1].get("at")
        assert told == [("expiring", {"at": expires_at}), ("closing", {"code": "auth.expired", "reconnect": True})]
        # Open when the token expired, closed when its grace was over, give or take one look at the clock.
        assert expires_at < last_at(cook, pair.topic) < expires_at + GRACE_SECONDS + LOOK_SECONDS
        assert cook.offsets(pair.topic)[-1] < witness.offsets(pair.topic)[-1]


async def test_a_new_token_on_the_live_socket_keeps_it(pair: Pair, listen: Listen):
    cook_id, stranger_id = await cook_of(pair), await person(pair.conn, "Stranger")
    kept, lost = [await listen(worker, token_of(cook_id, lifetime_seconds=SHORT_SECONDS)) for worker in (0, 1)]
    for cook in (kept, lost):
        await cook.until(lambda cook=cook: cook.told("expiring"))
    for token, code in ((token_of(stranger_id), "forbidden"), ("no token", "auth.invalid")):
        assert (await kept.refused("authenticate", {"token": token})).code == code
    answer = await kept.socket.ask("authenticate", {"token": token_of(cook_id)})
    assert answer["ok"] and answer["expires_at"] > kept.told("expiring")[0]["at"]
    await lost.until(lambda: lost.socket.is_lost)
    await pair.rename("later")
    await kept.until(lambda: kept.names(pair.topic))
    assert not kept.socket.is_lost and kept.told("closing") == []


async def test_a_grant_that_runs_out_closes_its_topics(pair: Pair, listen: Listen):
    cook_id = await person(pair.conn, "Cook")
    ends_at = datetime.now(UTC) + timedelta(seconds=SHORT_SECONDS)
    wanted: dict[str, Any] = {"role": "cook", "scope": f"kitchen:{pair.town.kitchen_id}"}
    async with aiohttp.ClientSession(pair.urls[0]) as http:
        boss = Caller(session=http, person_id=await person(pair.conn, "Boss", ("administrator", "*")))
        await boss.done("/roles", wanted | {"person_id": cook_id, "expires_at": ends_at.isoformat()})
    cooks = [await listen(worker, token_of(cook_id)) for worker in (0, 1)]
    witnesses = [await witness_of(pair, listen, worker) for worker in (0, 1)]
    async with writing(pair) as writer:
        for cook in cooks:
            await cook.until(lambda cook=cook: cook.told("revoked"))
        await writer.more()
    await pair.rename("the last")
    for cook, witness in zip(cooks, witnesses, strict=True):
        await witness.until(lambda witness=witness: "the last" in witness.names(pair.topic))
        assert (await cook.refused("subscribe", {"topic": pair.topic})).code == "forbidden"
        assert cook.told("revoked") == [{"topic": pair.topic, "reason": "expired"}]
        names = [name for name, payload in cook.events if payload.get("topic") == pair.topic]
        assert names[-1] == "revoked"
        assert last_at(cook, pair.topic) < ends_at.timestamp() + 2 * LOOK_SECONDS
        assert cook.offsets(pair.topic)[-1] < witness.offsets(pair.topic)[-1]
