"""Who follows a topic is counted over all workers, and a worker that is gone counts no longer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
from redis.asyncio import Redis

from hub.domain.topics import TopicKind
from hub.realtime.fanout import Fanout
from hub.realtime.presence import Presence, presence_at
from tests.realtime.two_hubs import listen_at
from tests.town import access_token, found, sequenced, sequencing, serving, until

TOPIC = "operations:town"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as connection:
        yield connection


async def present_at(redis: Redis, topic: str) -> int:
    """Followers of one topic, asked beside one that nobody follows."""
    count, nobody = await presence_at(redis, [topic, "operations:nowhere"])
    assert nobody == 0
    return count


def worker(redis: Redis, *followers: str, lease_seconds: float = 10.0) -> tuple[Fanout, Presence]:
    """A worker whose clients follow the topic."""
    fanout = Fanout(ring_changes=16)
    for sid in followers:
        fanout.join(fanout.topic(TOPIC, TopicKind.OPERATIONS), sid)
    return fanout, Presence(redis=redis, fanout=fanout, lease_seconds=lease_seconds)


async def test_followers_are_counted_over_workers(redis: Redis):
    (first, one), (_, other) = worker(redis, "a", "b"), worker(redis, "c")
    for presence in (one, other):
        await presence.renew()
    assert await present_at(redis, TOPIC) == 3
    first.leave_all("a")
    await one.renew()
    assert await present_at(redis, TOPIC) == 2
    first.leave_all("b")
    await one.renew()
    assert await present_at(redis, TOPIC) == 1
    for presence in (one, other):
        await presence.leave()
    assert await redis.keys("hotpass:present*") == []


async def test_what_redis_forgot_is_told_again(redis: Redis):
    _, presence = worker(redis, "a")
    await presence.renew()
    await redis.flushdb()
    assert await present_at(redis, TOPIC) == 0
    await presence.renew()
    assert await present_at(redis, TOPIC) == 1


async def test_what_has_not_changed_is_not_written_again(redis: Redis):
    fanout, presence = worker(redis, "a")
    await presence.renew()
    before = (await redis.info("commandstats"))["cmdstat_hset"]["calls"]
    await presence.renew()
    assert (await redis.info("commandstats"))["cmdstat_hset"]["calls"] == before
    fanout.join(fanout.topic(TOPIC, TopicKind.OPERATIONS), "b")
    await presence.renew()
    assert (await redis.info("commandstats"))["cmdstat_hset"]["calls"] == before + 1


async def test_a_lease_that_is_not_renewed_runs_out(redis: Redis):
    (_, dead), (_, alive) = worker(redis, "a", lease_seconds=2.0), worker(redis, "b")
    await dead.renew()
    await alive.renew()
    assert await present_at(redis, TOPIC) == 2

    async def only_one_is_left() -> bool:
        return await present_at(redis, TOPIC) == 1

    await until(only_one_is_left)


async def test_clients_of_two_hubs_are_counted_and_a_stopped_hub_takes_its_own_away(
    database_url: str, redis_url: str, redis: Redis
):
    conn = await asyncpg.connect(database_url)
    town = await found(conn)
    topic, token = f"kitchen:{town.kitchen_id}", access_token(town.manager_id)

    async def counted(clients: int) -> None:
        async def is_so() -> bool:
            return await present_at(redis, topic) == clients

        await until(is_so)

    async with AsyncExitStack() as sockets, sequencing(database_url, redis_url):
        await sequenced(conn)
        async with serving(database_url, redis_url) as first:
            async with serving(database_url, redis_url) as second:
                for url in (first, second, second):
                    await (await listen_at(sockets, url, token)).subscribe(topic)
                await counted(3)
            assert await present_at(redis, topic) == 1  # at once, not when its lease runs out
    await conn.close()
