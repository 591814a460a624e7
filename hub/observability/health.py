"""What readiness means: every worker of this start is up, and each has lately known that it misses no change.

Workers beat into shared memory that was made for this start, so an older start that still holds the port can never
pass for a healthy one: its answer carries another `start`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from hub.observability import logs

LOG = logs.get(__name__)
BEAT_SECONDS = 0.5
LOOK_SECONDS = 0.1
STALE_SECONDS = 3.0
MOST_SILENCE_SECONDS = 5.0


class Workers:
    """The heartbeats of all workers of one start; made before they fork. Times are the host's monotonic clock.

    Beats take no lock: a worker that is killed while it holds one would stop all the others for ever.
    """

    def __init__(self, count: int) -> None:
        self.start = secrets.token_hex(8)
        fork = get_context("fork")
        self._beats: Any = fork.RawArray("d", count)
        self._claims = fork.Lock()
        self._own = -1

    def claim(self) -> None:
        """Take the place of a worker that does not beat."""
        with self._claims:
            now = time.monotonic()
            self._own = min(range(len(self._beats)), key=lambda place: self._beats[place])
            self._beats[self._own] = now

    async def beat(self) -> None:
        """Beat for ever."""
        while True:
            self._beats[self._own] = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    @property
    def up(self) -> int:
        """How many workers beat."""
        now = time.monotonic()
        return sum(1 for beat in self._beats if beat and now - beat < STALE_SECONDS)

    @property
    def expected(self) -> int:
        """How many there should be."""
        return len(self._beats)


def revive(manager: Any) -> None:
    """Have every worker that died started again, for ever; runs on a thread of the main process.

    Sanic's manager starts a worker again only when it is told to: one that was killed would stay away.
    """
    told: set[int] = set()
    while True:
        time.sleep(LOOK_SECONDS)
        died = {process.pid: process.name for process in manager.transient_processes if process.exitcode}
        if new := died.keys() - told:
            LOG.warning("a worker died and is started again", workers=sorted(died[pid] for pid in new))
            manager.monitor_publisher.send(",".join(died[pid] for pid in new))
        told = set(died)


class Health:
    """What one worker answers to `/readyz`. `silence_seconds` is the age of its last proof that it misses nothing."""

    def __init__(self, workers: Workers, silence_seconds: Callable[[], float]) -> None:
        self._workers = workers
        self._silence_seconds = silence_seconds
        self.is_draining = False

    def report(self) -> dict[str, Any]:
        """`{ready, start, workers_up, workers_expected, pipeline_silence_seconds, draining}`."""
        silence = self._silence_seconds()
        up, expected = self._workers.up, self._workers.expected
        return {
            "ready": up >= expected and silence < MOST_SILENCE_SECONDS and not self.is_draining,
            "start": self._workers.start,
            "workers_up": up,
            "workers_expected": expected,
            "pipeline_silence_seconds": round(silence, 3),
            "draining": self.is_draining,
        }
