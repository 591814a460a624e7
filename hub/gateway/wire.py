"""One Redis connection at raw-protocol cost: pipelined commands, answers in order, no pool.

Used where every request or change passes: rate limits, the sequencer's appends, the workers' blocking reads. Everything
else uses redis-py.
A lost connection fails every waiting command with `ConnectionError`; whoever owns the wire opens another. A wire with
`patience_seconds` is given up as lost when an answer takes longer: one timer for all commands, none for each.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import hiredis

CONNECT_SECONDS = 3.0
Push = Callable[[Any], None]
Word = str | bytes | int


def packed(*words: Word) -> bytes:
    """A command as it goes over the wire."""
    return cast("bytes", hiredis.pack_command(cast("Any", words)))


class Wire(asyncio.Protocol):
    """A connection; made by `open_wire`. With `on_push` every message that no command waits for goes there."""

    def __init__(self, on_push: Push | None = None, *, patience_seconds: float | None = None) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._on_push = on_push
        self._patience_seconds = patience_seconds
        self._watch: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()

    @property
    def is_alive(self) -> bool:
        """False once the connection is lost or closed."""
        return self._transport is not None and not self._transport.is_closing()

    def command(self, *words: Word) -> asyncio.Future[Any]:
        """Send a command; the future has its answer, a `hiredis.ReplyError`, or a `ConnectionError`."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.commands([(words, future)])
        return future

    def commands(self, batch: Sequence[tuple[Sequence[Word], asyncio.Future[Any]]]) -> None:
        """Send several commands in one write, each with the future of its answer."""
        if self._transport is None or self._transport.is_closing():
            for _, future in batch:
                future.set_exception(ConnectionError("the Redis connection is lost"))
            return
        if self._patience_seconds is not None and self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(self._patience_seconds, self._look)
        now = time.monotonic()
        self._waiting.extend((future, now) for _, future in batch)
        self._transport.write(b"".join([packed(*words) for words, _ in batch]))

    def post(self, packed: bytes) -> None:
        """Send a packed command whose answer goes to `on_push`; dropped when the connection is lost."""
        if self._transport is not None:
            self._transport.write(packed)

    async def lost(self) -> None:
        """Wait until the connection is gone."""
        await self._lost.wait()

    def close(self) -> None:
        """Close at once; waiting commands fail."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are of no asyncio class

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            if self._waiting:
                future, _ = self._waiting.popleft()
                if not future.done():
                    if isinstance(answer, hiredis.ReplyError):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
            elif self._on_push is not None:
                self._on_push(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self._lost.set()
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(ConnectionError("the Redis connection is lost"))
                future.exception()  # whoever does not wait for it need not hear of it

    def _look(self) -> None:
        """Give the connection up when its oldest answer is overdue; else look again when that would be."""
        self._watch = None
        if not self._waiting or self._patience_seconds is None:
            return
        left = self._waiting[0][1] + self._patience_seconds - time.monotonic()
        if left <= 0:
            self.close()
        else:
            self._watch = asyncio.get_running_loop().call_later(left, self._look)


async def open_wire(url: str, *, on_push: Push | None = None, patience_seconds: float | None = None) -> Wire:
    """Connect, authenticate and choose the database that `url` (redis:// or rediss://) names.

    Raises `OSError` (also `ConnectionError`, `TimeoutError`) when that fails within 3 s.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "rediss" else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_SECONDS):
        connecting = loop.create_connection(
            lambda: Wire(on_push, patience_seconds=patience_seconds),
            parts.hostname or "127.0.0.1",
            parts.port or 6379,
            ssl=context,
        )
        _, wire = await connecting
        try:
            if parts.password:
                await wire.command(
                    "AUTH", *([unquote(parts.username)] if parts.username else []), unquote(parts.password)
                )
            if (number := parts.path.strip("/")) not in ("", "0"):
                await wire.command("SELECT", number)
        except hiredis.ReplyError as error:
            wire.close()
            raise ConnectionError(f"Redis refused the connection: {error}") from error
    return wire
