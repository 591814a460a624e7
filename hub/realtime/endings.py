"""How tasks that run for ever go on when they fail, and how they are ended: by asking again until they have ended.

A loop that dies of one bad turn would take what it did from its whole process, and nobody would notice: token expiry,
heads, leases. A library may take a cancellation for its own time-out (redis-py while it connects) and go on: asked
once, such a task would hold up the end of its worker for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from hub.observability import logs, metrics

LOG = logs.get(__name__)
ASK_AGAIN_SECONDS = 0.2
PAUSE_SECONDS = 0.2


async def for_ever(loop: str, run: Callable[[], Awaitable[None]]) -> None:
    """Call `run` again whenever it has failed or ended; only a cancellation of the task itself ends this.

    `loop` is its name in logs and metrics.
    """
    metrics.LOOP_FAILURES.labels(loop)  # a rate needs a first value: nothing has failed yet
    while True:
        try:
            await run()
            LOG.error("a loop has ended and begins again", loop=loop)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            LOG.exception("a loop was cancelled from within and begins again", loop=loop)
        except Exception:
            LOG.exception("a loop has failed and begins again", loop=loop)
        metrics.LOOP_FAILURES.labels(loop).inc()
        await asyncio.sleep(PAUSE_SECONDS)


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all have ended; what they end with is theirs."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=ASK_AGAIN_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()
