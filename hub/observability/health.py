"""What readiness means: every worker of this start is up, and each has lately known that it misses no change.

    worker ── beat, and when it last knew that it misses nothing ──► shared memory ──► `/readyz` of every worker

Workers share one port: whoever is sent to this start may come to any of them. So one deaf worker makes the whole start
not ready, whichever of them is asked. The memory was made for this start, so an older start that still holds the port
can never pass for a healthy one: its answer carries another `start`.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

BEAT_SECONDS = 0.5
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
        self._heard: Any = fork.RawArray("d", count)
        self._process_ids: Any = fork.RawArray("l", count)
        self._claims = fork.Lock()
        self._own = -1

    def claim(self) -> None:
        """Take the place of a worker that does not beat."""
        with self._claims:
            self._own = min(range(len(self._beats)), key=lambda place: self._beats[place])
            self._process_ids[self._own] = os.getpid()
            self.tell(0.0)

    def tell(self, silence_seconds: float) -> None:
        """This worker is up, and so long ago it last knew that it misses nothing."""
        now = time.monotonic()
        self._heard[self._own] = now - silence_seconds
        self._beats[self._own] = now

    async def beat(self, silence_seconds: Callable[[], float]) -> None:
        """Beat for ever."""
        while True:
            self.tell(silence_seconds())
            await asyncio.sleep(BEAT_SECONDS)

    @property
    def up(self) -> int:
        """How many workers beat."""
        return len(self._beating())

    @property
    def deafest(self) -> tuple[float, int | None]:
        """(seconds, process id) of the worker that beats and has heard nothing for longest; endless without any."""
        heard, place = min(((self._heard[place], place) for place in self._beating()), default=(-math.inf, None))
        return time.monotonic() - heard, None if place is None else self._process_ids[place]

    def _beating(self) -> list[int]:
        now = time.monotonic()
        return [place for place, beat in enumerate(self._beats) if beat and now - beat < STALE_SECONDS]

    @property
    def expected(self) -> int:
        """How many there should be."""
        return len(self._beats)


class Health:
    """What one worker answers to `/readyz`: of all of them."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.is_draining = False

    def report(self) -> dict[str, Any]:
        """`{ready, start, workers_up, workers_expected, pipeline_silence_seconds, deafest_worker, draining}`.

        The silence is that of the worker that has heard nothing for longest, named by its process id.
        """
        silence, deafest = self._workers.deafest
        up, expected = self._workers.up, self._workers.expected
        return {
            "ready": up >= expected and silence < MOST_SILENCE_SECONDS and not self.is_draining,
            "start": self._workers.start,
            "workers_up": up,
            "workers_expected": expected,
            "pipeline_silence_seconds": round(silence, 3) if deafest is not None else None,
            "deafest_worker": deafest,
            "draining": self.is_draining,
        }
