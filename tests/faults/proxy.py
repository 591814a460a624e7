"""A proxy between a client and the hub that breaks the hub's promises: product code has no fault switch.

It hands on bytes from the client, and whole WebSocket frames from the hub; a saboteur decides what becomes of each.
A `Line` is what a test holds in its hand meanwhile: it cuts connections, keeps new ones out, or lets nothing through.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

CHANGE = b'42["change",'
REVOKED = b'42["revoked",'
VICTIM = 3  # the number of the change frame that is tampered with
Saboteur = Callable[[bytes], list[bytes]]


@dataclass(slots=True)
class Line:
    """All connections of one proxy. While it `is_down` nobody new comes through."""

    is_down: bool = False
    is_cut: asyncio.Event = field(default_factory=asyncio.Event)
    is_silent: asyncio.Event = field(default_factory=asyncio.Event)

    def cut(self) -> None:
        """End every connection as a network does that fails: with a reset, and no goodbye of either side."""
        self.is_cut.set()
        self.is_cut = asyncio.Event()

    def silence(self) -> None:
        """Leave every connection open, and let nothing more through it."""
        self.is_silent.set()
        self.is_silent = asyncio.Event()


def saboteur(fault: str) -> Saboteur:
    """Answers the payloads to send in place of one: `drop`, `swap`, `duplicate`, `stale`, `leak`, or `nothing`."""
    seen = 0
    kept: list[bytes] = []

    def tamper(payload: bytes) -> list[bytes]:
        nonlocal seen
        if payload.startswith(REVOKED):
            return [payload, *kept] if fault == "leak" else [payload]
        if not payload.startswith(CHANGE):
            return [payload]
        seen += 1
        if seen == VICTIM + 1 and fault == "swap":
            return [payload, *kept]
        if seen != VICTIM:
            return [payload]
        kept.append(payload)
        return {"drop": [], "swap": [], "duplicate": [payload, payload], "stale": [_stale(payload)]}.get(
            fault, [payload]
        )

    return tamper


def _stale(payload: bytes) -> bytes:
    """The frame as it is, but for an old name in its row."""
    name, change = orjson.loads(payload[2:])
    change["row"]["name"] = "an older name"
    return b"42" + orjson.dumps([name, change])


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    return b"\x81" + (b"\x7e" + size.to_bytes(2) if size < 65_536 else b"\x7f" + size.to_bytes(8)) + payload


async def _next_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head of a frame and its payload."""
    head = await reader.readexactly(2)
    size = head[1]
    if size >= 126:
        longer = await reader.readexactly(2 if size == 126 else 8)
        head, size = head + longer, int.from_bytes(longer, "big")
    return head, await reader.readexactly(size)


async def _tamper(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tamper: Saboteur, is_silent: asyncio.Event
) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        writer.write(await reader.readuntil(b"\r\n\r\n"))
        while True:
            head, payload = await _next_frame(reader)
            if is_silent.is_set():
                continue
            if head[0] != 0x81:
                writer.write(head + payload)
            for sent in tamper(payload) if head[0] == 0x81 else ():
                writer.write(_frame(sent))
            await writer.drain()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_silent: asyncio.Event) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            if not is_silent.is_set():
                writer.write(data)
            await writer.drain()


async def _unless_silent(way: Coroutine[Any, Any, None], is_silent: asyncio.Event) -> None:
    """Its end is not seen on a silent line."""
    await way
    if is_silent.is_set():
        await asyncio.Event().wait()


@asynccontextmanager
async def proxy(hub_url: str, fault: str = "nothing", *, line: Line | None = None) -> AsyncIterator[str]:
    """The URL of a proxy that commits `fault` once per connection."""
    there, held = urlsplit(hub_url), line or Line()
    tasks: set[asyncio.Task[None]] = set()
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if held.is_down:
            writer.close()
            return
        is_cut, is_silent = held.is_cut, held.is_silent
        hub_reader, hub_writer = await asyncio.open_connection(there.hostname, there.port, limit=1 << 24)
        ways = (_hand_on(reader, hub_writer, is_silent), _tamper(hub_reader, writer, saboteur(fault), is_silent))
        running = [asyncio.ensure_future(_unless_silent(way, is_silent)) for way in ways]
        running += [asyncio.ensure_future(end) for end in (over.wait(), is_cut.wait())]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in running:
                way.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for side in (writer, hub_writer):
                if is_cut.is_set():
                    side.transport.abort()
                side.close()
                with suppress(OSError):
                    await side.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        over.set()
        await asyncio.gather(*tasks)
