"""The sequencer's side of Redis: appends batches to the stream, hears nudges, survives every loss of Redis.

The stream is a trimmed copy. An entry's id is `epoch-pos`, given by us, so Redis itself refuses late, repeated and
reordered appends. What could not be appended is read from the change log by the workers: nothing is lost with Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import hiredis

from hub.gateway.nudge import NUDGE
from hub.gateway.wire import Wire, open_wire
from hub.observability import logs
from hub.realtime.changes import STREAM, Change, pack

LOG = logs.get(__name__)
RETRY_SECONDS = 0.05


class Publisher:
    """Keeps two wires open: one appends, one listens for nudges. `on_nudge` is called for each."""

    def __init__(self, url: str, *, stream_length: int, on_nudge: Callable[[], None]) -> None:
        self._url = url
        self._length = str(stream_length)
        self._on_nudge = on_nudge
        self._wire: Wire | None = None
        self.top = (0, 0)  # (epoch, pos) of the newest entry when the wire was opened
        self._place = (0, 0)

    async def run(self) -> None:
        """Keep the wires open for ever."""
        while True:
            try:
                await self._session()
            except (OSError, hiredis.ReplyError) as error:
                LOG.info("redis is away", error=str(error))
            self._wire = None
            await asyncio.sleep(RETRY_SECONDS)

    async def _session(self) -> None:
        listener = await open_wire(self._url, on_push=lambda _: self._on_nudge())
        wire: Wire | None = None
        try:
            await listener.command("SUBSCRIBE", NUDGE)
            wire = await open_wire(self._url)
            entries = await wire.command("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
            epoch, _, pos = entries[0][0].decode().partition("-") if entries else ("0", "", "0")
            self.top = (int(epoch), int(pos))
            self._wire = wire
            self._append(*self._place, first=self._place[1] + 1, body=b"[]")  # wakes workers that missed what was lost
            self._on_nudge()
            await asyncio.wait(
                [asyncio.ensure_future(wire.lost()), asyncio.ensure_future(listener.lost())],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            listener.close()
            if wire is not None:
                wire.close()

    def publish(self, epoch: int, changes: list[Change]) -> None:
        """Append a batch; not waited for. Lost silently while Redis is away: the log has it."""
        self._append(epoch, changes[-1].pos, first=changes[0].pos, body=pack(changes))

    def mark(self, epoch: int, pos: int) -> None:
        """Remember the place of a new leader, and tell the workers of it."""
        self._append(epoch, pos, first=pos + 1, body=b"[]")

    def _append(self, epoch: int, pos: int, *, first: int, body: bytes) -> None:
        self._place = (epoch, pos)
        if self._wire is None or not self._wire.is_alive or pos == 0:
            return
        words = ("XADD", STREAM, "MAXLEN", "~", self._length, f"{epoch}-{pos}", "f", str(first), "b", body)
        self._wire.command(*words).add_done_callback(self._answered)

    def _answered(self, answer: asyncio.Future[object]) -> None:
        error = answer.exception()
        if error is None or "equal or smaller" in str(error):
            return
        if self._wire is not None:
            self._wire.close()  # refused for another reason: out of memory, read-only, loading
