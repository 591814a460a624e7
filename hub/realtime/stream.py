"""The worker's end of the stream: one connection that asks for what follows a place, again and again.

    XREAD from a place ──► entries ──► take() ──► XREAD from the next place, in the same turn of the loop

No task and no future per answer: at hundreds of entries a second a round through the scheduler costs as much as the
reading. Invariant: nothing is asked while the reader is in trouble (a hole, a quiet second, a lost connection): it
reads the log first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

import hiredis

from hub.gateway.wire import open_wire, packed
from hub.realtime.changes import STREAM

QUIET_MILLISECONDS = 1_000
# Redis answers every quiet second: after so long it is not there, whatever the connection says.
SILENT_SECONDS = 5.0
MOST_ENTRIES = 100

# ((epoch, pos), first pos, packed changes) of each entry ─► why the log must be read, or None.
Entry = tuple[tuple[int, int], int, bytes]
Take = Callable[[list[Entry]], str | None]


class Stream:
    """Follows the stream of changes. `take` is called with what came, in order; `place()` is where to go on."""

    def __init__(self, url: str, *, take: Take, place: Callable[[], str]) -> None:
        self._url = url
        self._take = take
        self._place = place

    async def __aenter__(self) -> Self:
        """Connect. Raises `OSError` when Redis is away."""
        self._wire = await open_wire(self._url, on_push=self._answered)
        self._lost = asyncio.ensure_future(self._wire.lost())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._lost.cancel()
        self._wire.close()

    async def until_trouble(self) -> str:
        """Follow until the log must be read; why. Raises `ConnectionError`, or what Redis refused."""
        self._trouble: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ask()
        waited: set[asyncio.Future[Any]] = {self._trouble, self._lost}
        while not self._trouble.done():
            self._is_heard = False
            await asyncio.wait(waited, timeout=SILENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not self._trouble.done() and (self._lost.done() or not self._is_heard):
                raise ConnectionError("the Redis connection is lost")
        return self._trouble.result()

    def _ask(self) -> None:
        place = self._place()
        self._wire.post(packed("XREAD", "COUNT", MOST_ENTRIES, "BLOCK", QUIET_MILLISECONDS, "STREAMS", STREAM, place))

    def _answered(self, answer: Any) -> None:
        self._is_heard = True
        if isinstance(answer, hiredis.ReplyError):
            self._trouble.set_exception(answer)
            return
        why = self._take([_entry(name, fields) for name, fields in answer[0][1]]) if answer else "quiet"
        if why is None:
            self._ask()
        else:
            self._trouble.set_result(why)


def _entry(name: bytes, fields: list[bytes]) -> Entry:
    epoch, _, pos = name.partition(b"-")
    return (int(epoch), int(pos)), int(fields[1]), fields[3]
