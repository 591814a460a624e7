"""What a session sent, handled one item after the other.

Invariant: no item of a session begins before the one before it has ended; sessions do not wait for each other.
A task lives only while there is something to handle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from hub.realtime.session import Session

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Calls `handle` for every item taken; `handle` must not raise."""

    def __init__(self, handle: Callable[[Session, Item], Awaitable[None]]) -> None:
        self._handle = handle
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, session: Session, item: Item) -> None:
        """Lets the item wait for its turn."""
        if session.inbox is not None:
            session.inbox.append(item)
            return
        session.inbox = deque((item,))
        task = asyncio.get_running_loop().create_task(self._work_off(session, session.inbox))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, session: Session, inbox: deque[Item]) -> None:
        try:
            while inbox:
                await self._handle(session, inbox.popleft())
        finally:
            session.inbox = None

    async def finish(self, timeout_seconds: float) -> None:
        """Waits for what is being handled, then cancels it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_seconds)
            for task in late:
                task.cancel()
