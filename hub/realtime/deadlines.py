"""Time-outs of thousands of sockets on one timer.

A lane holds items that all wait equally long, so its queue is in order of time and adding costs O(1).
An item cannot be taken back: the action must look whether its time-out still means anything. A turn acts on at
most `MOST_PER_TURN` items of a lane, then lets the loop breathe. Nothing is acted on early, and on a loop that is
free nothing more than `SHARED_SECONDS` late.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST_PER_TURN = 200
# Time-outs this close together share one wake-up: what the loop's own timers resolve.
SHARED_SECONDS = 0.001


class Deadlines:
    """The one timer; make lanes with `lane`. They go by the running loop where none is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._given_loop = loop
        self._lanes: list[Lane[object]] = []
        self._timer: asyncio.TimerHandle | None = None
        # A timer keeps the context it was made in, and through it the HTTP request being served then.
        self._context = contextvars.Context()

    def lane(self, delay_seconds: float, act: Callable[[Item], None]) -> Lane[Item]:
        """A lane whose items are handed to `act` after `delay_seconds`."""
        lane = Lane(self, delay_seconds, act)
        self._lanes.append(lane)  # type: ignore[arg-type]  # lanes of different items live in one list
        return lane

    def wake_at(self, due: float) -> None:
        """Makes sure the timer fires at `due` or earlier."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._turn, context=self._context)

    def now(self) -> float:
        """The time in seconds on the clock that all lanes go by."""
        return self._loop.time()

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._given_loop or asyncio.get_running_loop()

    def _turn(self) -> None:
        self._timer = None
        now = self.now()
        try:
            for lane in self._lanes:
                lane.act_until(now)
        finally:  # an action that fails holds up nobody else's time-out
            dues = [lane.waiting[0][0] for lane in self._lanes if lane.waiting]
            if dues:
                self.wake_at(max(min(dues), now + SHARED_SECONDS))


class Lane(Generic[Item]):
    """Items that wait equally long."""

    def __init__(self, deadlines: Deadlines, delay_seconds: float, act: Callable[[Item], None]) -> None:
        self._deadlines = deadlines
        self._delay_seconds = delay_seconds
        self._act = act
        self.waiting: deque[tuple[float, Item]] = deque()

    def add(self, item: Item) -> None:
        """Lets the item wait from now on."""
        due = self._deadlines.now() + self._delay_seconds
        self.waiting.append((due, item))
        if len(self.waiting) == 1:
            self._deadlines.wake_at(due)

    def act_until(self, now: float) -> None:
        """Acts on what is due, at most `MOST_PER_TURN` items."""
        waiting = self.waiting
        for _ in range(min(len(waiting), MOST_PER_TURN)):
            if waiting[0][0] > now:
                return
            self._act(waiting.popleft()[1])
