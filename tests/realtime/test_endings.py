"""A loop of a worker goes on after a bad turn, and ends even when something takes its cancellation for its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import AsyncExitStack

import asyncpg
import pytest
from prometheus_client import REGISTRY

from hub.realtime.endings import end_all, for_ever
from tests.realtime.two_hubs import listen_at, token_of
from tests.town import PATIENCE_SECONDS, found, opened, sequencing


def failures(loop: str) -> float:
    return REGISTRY.get_sample_value("hotpass_loop_failures_total", {"loop": loop}) or 0.0


@pytest.mark.parametrize("fault", [ValueError("planted"), asyncio.CancelledError("from within"), None])
async def test_a_loop_goes_on_after_a_turn_that_failed_or_ended_and_it_is_counted(fault: BaseException | None):
    before, turns, again = failures("tried"), 0, asyncio.Event()

    async def run() -> None:
        nonlocal turns
        turns += 1
        if turns > 1:
            again.set()
            await asyncio.Event().wait()
        if fault is not None:
            raise fault

    task = asyncio.create_task(for_ever("tried", run))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await again.wait()
    assert failures("tried") == before + 1
    await end_all([task])
    assert task.cancelled()
    assert turns == 2


async def test_one_socket_that_cannot_be_looked_at_keeps_nobody_elses_token_alive(database_url: str, redis_url: str):
    before = failures("expiry")
    conn = await asyncpg.connect(database_url)
    town = await found(conn)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sequencing(database_url, redis_url))
        url, app = await stack.enter_async_context(opened(database_url, redis_url))
        tokens = [token_of(person_id) for person_id in (town.manager_id, *town.customer_ids, *town.rider_ids)]
        first, broken, last = [await listen_at(stack, url, token) for token in tokens[:3]]
        sockets = list(app.ctx.live.sockets.by_sid.values())
        sockets[1].expires_at = "soon"  # the planted fault: every look at it raises
        for over in (sockets[0], sockets[2]):
            over.expires_at = time.time() - 3600
        for listener in (first, last):
            await listener.until(lambda listener=listener: listener.told("closing"))
        assert not broken.told("closing")
    await conn.close()
    assert failures("expiry") > before


async def test_a_task_that_swallows_a_cancellation_is_asked_again():
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            with contextlib.suppress(asyncio.CancelledError if swallowed < 2 else ()):
                await asyncio.Event().wait()
            swallowed += 1

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.sleep(0)
    await end_all(tasks)
    assert all(task.done() for task in tasks)
    assert swallowed == 2


async def test_nothing_is_ended_at_once():
    await end_all([])
