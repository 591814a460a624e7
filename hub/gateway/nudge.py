"""The lossy hint after a commit: wakes the sequencer at once in place of its next poll. Losing it costs 20 ms.

Redis is told not to answer: an answer would wake this process once more for every commit.
"""

from __future__ import annotations

import asyncio

from hub.gateway.wire import Wire, open_wire, packed

NUDGE = "hotpass:nudge"
RETRY_SECONDS = 0.2
_HINT = packed("PUBLISH", NUDGE, b"1")
_NO_ANSWERS = packed("CLIENT", "REPLY", "OFF")


class Nudge:
    """Call it after a commit. Calls within one turn of the loop become one hint; without Redis they become none."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._wire: Wire | None = None
        self._is_due = False

    def __call__(self) -> None:
        """Give one hint, in the next turn of the loop."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._give)

    def _give(self) -> None:
        self._is_due = False
        if self._wire is not None:
            self._wire.post(_HINT)

    async def run(self) -> None:
        """Keep the connection open for ever."""
        while True:
            try:
                wire = await open_wire(self._redis_url)
            except (OSError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                wire.post(_NO_ANSWERS)
                self._wire = wire
                self()  # what was committed meanwhile
                await wire.lost()
            finally:
                self._wire = None
                wire.close()
