"""The hint after a commit: one for all commits of a turn, none without Redis, and again when Redis is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from hub.gateway.nudge import NUDGE, Nudge

WAIT_SECONDS = 20.0


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(redis_url)
    yield redis
    await redis.aclose()


@pytest.fixture
async def ear(redis: Redis) -> AsyncIterator[PubSub]:
    """Hears every hint from now on."""
    async with redis.pubsub() as ear:
        await ear.subscribe(NUDGE)
        assert (await ear.get_message(timeout=WAIT_SECONDS))["type"] == "subscribe"
        yield ear


@pytest.fixture
async def nudge(redis_url: str, ear: PubSub) -> AsyncIterator[Nudge]:
    """One whose connection is open."""
    nudge = Nudge(redis_url)
    running = asyncio.create_task(nudge.run())
    await heard(ear)  # of whatever was committed before
    yield nudge
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def heard(ear: PubSub) -> None:
    """Wait for one hint."""
    message = await ear.get_message(timeout=WAIT_SECONDS)
    assert message is not None, "no hint came"
    assert message["data"] == b"1"


async def test_all_commits_of_one_turn_give_one_hint(nudge: Nudge, ear: PubSub, redis: Redis) -> None:
    for _ in range(5):
        nudge()
    await heard(ear)
    await redis.publish(NUDGE, b"the end")
    message = await ear.get_message(timeout=WAIT_SECONDS)
    assert message is not None
    assert message["data"] == b"the end"


async def test_a_later_commit_gives_another_hint(nudge: Nudge, ear: PubSub) -> None:
    for _ in range(3):
        nudge()
        await heard(ear)


async def test_a_lost_connection_comes_back_by_itself_and_tells(nudge: Nudge, ear: PubSub, redis: Redis) -> None:
    (connection,) = [one for one in await redis.client_list(_type="normal") if one["cmd"].startswith("publish")]
    await redis.client_kill_filter(_id=connection["id"])
    await heard(ear)


async def test_without_redis_nobody_waits_and_nothing_fails() -> None:
    nudge = Nudge("redis://127.0.0.1:1")
    running = asyncio.create_task(nudge.run())
    nudge()
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
