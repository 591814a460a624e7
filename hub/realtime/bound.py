"""How many bytes are kept for one client, and where.

    ┌─ the kernel's send buffer ─┬─ one segment ─┬─ held by the process ─┐  + answers, up to 16 bounds + a goodbye
    0                          1/2             3/4                       1  of 256 KiB, the default

Invariant: what nobody asked for (changes, heads, positions, pongs) is never more than the bound, kernel included,
however long a write is and whatever else the client asks meanwhile. What it asked for (snapshots, replays,
acknowledgements) lies beside it: paged, not counted, but not without end either. transport.py and polling.py keep to
it; the fan-out makes its writes so short that a client which takes nothing is refused at a frame's end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

ANSWER_FACTOR = 16
# The kernel is asked for its share once per socket: to ask how much it holds would cost a system call a delivery.
KERNEL_BUFFER_BYTES = 64 * 1024
# Whoever joins frames makes no write longer than this: what a client of the least bound may hold (settings.py).
MOST_WRITTEN_BYTES = 16 * 1024
MOST_STRETCHES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What is asked of the kernel, what the process holds of what nobody asked for, and what it holds of all."""

    kernel_bytes: int
    held_bytes: int
    answers_bytes: int


def bound_of(buffer_bytes: int) -> Bound:
    """How `buffer_bytes` are shared out: the kernel is asked for at most a quarter, and may take three times that.

    It doubles the figure for its own bookkeeping, and the last segment, of 64 KiB at most, may end beyond it: below
    256 KiB, where a quarter is less, the bound is passed by the difference while a client reads nothing.
    """
    asked_bytes = min(KERNEL_BUFFER_BYTES, buffer_bytes // 4)
    return Bound(
        kernel_bytes=asked_bytes,
        held_bytes=buffer_bytes - 3 * asked_bytes,
        answers_bytes=buffer_bytes * ANSWER_FACTOR,
    )


class Backlog:
    """Which part of what a transport has queued is answers.

    Bytes are numbered from the first that was queued. Answers that lie side by side are one stretch; of more than
    `MOST_STRETCHES` the oldest is counted as if it were no answer.
    """

    __slots__ = ("_answers", "_written")

    def __init__(self, queued_bytes: int) -> None:
        self._written = queued_bytes
        self._answers: deque[tuple[int, int]] = deque(maxlen=MOST_STRETCHES)

    def wrote(self, size: int) -> None:
        """So much was queued behind the rest."""
        self._written += size

    def answered(self, size: int) -> None:
        """So much was queued behind the rest, and is an answer."""
        start = self._written
        self._written += size
        if self._answers and self._answers[-1][1] == start:
            start = self._answers.pop()[0]
        self._answers.append((start, self._written))

    def answers_bytes(self, queued_bytes: int) -> int:
        """How much of what is still queued is answers."""
        sent = self._written - queued_bytes
        while self._answers and self._answers[0][1] <= sent:
            self._answers.popleft()
        return sum(end - max(start, sent) for start, end in self._answers)
