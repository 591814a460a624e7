"""The lossy hint after a commit: wakes the sequencer at once in place of its next poll. Losing it costs 20 ms."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

NUDGE = "hotpass:nudge"
RETRY_SECONDS = 0.2


class Nudge:
    """Call it after a commit. Many calls while one hint is on its way become one more hint."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wanted = asyncio.Event()

    def __call__(self) -> None:
        """Ask for one hint."""
        self._wanted.set()

    async def run(self) -> None:
        """Send hints for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._redis.publish(NUDGE, b"1")
            except (RedisError, OSError):
                await asyncio.sleep(RETRY_SECONDS)
