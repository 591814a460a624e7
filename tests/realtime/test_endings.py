"""Tasks end even when something on their way takes a cancellation for its own."""

from __future__ import annotations

import asyncio
import contextlib

from hub.realtime.endings import end_all


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
