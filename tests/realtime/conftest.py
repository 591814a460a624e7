"""A real hub process per module, and raw sockets that may break every rule."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import pytest

from hub.embedded.ports import claim

ROOT = Path(__file__).parents[2]
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
WAIT_SECONDS = 30.0  # a busy machine; nothing waits this long when all is well


@dataclass(frozen=True)
class Hub:
    """A running hub."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def state(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/state") as response:
            return await response.json()

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Asks for the state until it is as wanted."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not is_so(state := await self.state()):
                pass
        return state

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(timeout=WAIT_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def start_hub(**options: Any) -> Hub:
    port = claim(0, name="a hub")
    script = str(ROOT / "tests/realtime/socket_hub.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, script, str(port), json.dumps(options)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    # Sanic answers before it heeds signals: this line is its last word before it does.
    for _ in range(options.get("workers", 1)):
        while b"Worker ready" not in (line := process.stdout.readline()):
            assert line, "the hub did not start"
    # A full pipe would stop the hub in the middle of a log line.
    threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
    return Hub(port, process)


def drain(pipe: BinaryIO) -> None:
    """Read what nobody wants until its writer has gone."""
    with pipe:
        while pipe.read(4096):
            pass


@pytest.fixture(scope="module")
def hubs() -> Iterator[Callable[..., Hub]]:
    """Starts hubs with options of `LiveServer`; all are stopped after the module."""
    running: list[Hub] = []

    def start(**options: Any) -> Hub:
        running.append(start_hub(**options))
        return running[-1]

    yield start
    for hub in running:
        hub.stop()


class RawSocket:
    """A WebSocket made by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def frame(
        self, opcode: int, payload: bytes, *, final: bool = True, rsv: int = 0, mask: bytes | None = b"abcd"
    ) -> bytes:
        first = (0x80 if final else 0) | rsv << 4 | opcode
        second = 0x80 if mask is not None else 0
        size = len(payload)
        if size < 126:
            head = bytes((first, second | size))
        elif size < 1 << 16:
            head = bytes((first, second | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, second | 127)) + size.to_bytes(8, "big")
        if mask is None:
            return head + payload
        return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    def send(self, text: str | bytes) -> None:
        self.writer.write(self.frame(TEXT, text.encode() if isinstance(text, str) else text))

    async def receive_frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(WAIT_SECONDS):
            first, length = await self.reader.readexactly(2)
            assert first & 0x80, f"not a final WebSocket frame: {first:#x}"
            assert not first & 0x70
            if length >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
            return first & 15, await self.reader.readexactly(length)

    async def receive(self) -> str:
        opcode, payload = await self.receive_frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    async def receive_event(self) -> str:
        """The next packet that is no ping."""
        while (text := await self.receive()) == "2":
            self.send("3")
        return text

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame that comes, whatever else comes before."""
        while True:
            opcode, payload = await self.receive_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def gone(self) -> bytes:
        """What is left until the hub closes the connection."""
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
async def raw() -> AsyncIterator[Callable[..., Any]]:
    """Opens a raw WebSocket to a hub a call; with `upgrade=False` a TCP connection that has not said anything."""
    opened: list[RawSocket] = []

    async def connect(
        hub: Hub, query: str = "EIO=4&transport=websocket", *, upgrade: bool = True, extra: str = ""
    ) -> RawSocket:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1 << 22)
        made = RawSocket(reader, writer)
        opened.append(made)
        if upgrade:
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                f"GET /socket.io/?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{extra}\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
        return made

    yield connect
    for each in opened:
        await each.close()


@pytest.fixture
def joined(raw: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a raw WebSocket that is in the default namespace."""

    async def connect(hub: Hub) -> RawSocket:
        opened = await raw(hub)
        assert (await opened.receive()).startswith("0")
        opened.send("40")
        assert (await opened.receive_event()).startswith("40")
        assert await opened.receive_event() == '42["auth",{}]'
        return opened

    return connect
