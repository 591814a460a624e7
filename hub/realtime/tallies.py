"""What the fan-out counts, brought to the metrics four times a second.

A metric that several processes share costs some 2 µs a time (a lock, a system call, a mapped page), a good part of what
a send costs. Invariant: nothing counted is lost but what the last quarter of a second before an end had counted.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from hub.observability import metrics

TELL_SECONDS = 0.25


class Tallies:
    """The counts of one worker."""

    __slots__ = ("_changes", "_frames", "_timer")

    def __init__(self) -> None:
        self._changes = 0
        self._frames = 0
        self._timer: asyncio.TimerHandle | None = None

    def delivered(self, changes: int, frames: int, *, written_at: str) -> None:
        """Count a batch; `written_at` (ISO 8601, of its first change) gives the delay, sampled once per telling."""
        self._changes += changes
        self._frames += frames
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)
            delay = datetime.now(UTC) - datetime.fromisoformat(written_at)
            metrics.COMMIT_TO_FRAME_SECONDS.observe(max(0.0, delay.total_seconds()))

    def _tell(self) -> None:
        self._timer = None
        metrics.CHANGES_DELIVERED.inc(self._changes)
        metrics.FRAMES_SENT.inc(self._frames)
        self._changes = self._frames = 0
