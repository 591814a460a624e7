"""One WebSocket as a client (RFC 6455), on a raw asyncio transport: a few KB each, so that one process holds thousands.

Text frames go to `on_text` in the order of the wire, from the event loop, without a task or a queue between.
No extensions are offered. The server is trusted no further than the protocol: a fault closes the connection.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from hub.client.errors import ConnectRefused

ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024
LARGEST_HEAD_BYTES = 16 * 1024
OPEN_TIMEOUT_SECONDS = 10.0
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def mask(opcode: int, payload: bytes) -> bytes:
    """A whole client frame: final, masked with a fresh random key."""
    key = os.urandom(4)
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    pattern = (key * (size // 4 + 1))[:size]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return head + key + hidden.to_bytes(size, "big")


class WebSocket(asyncio.Protocol):
    """One connection. `opened` ends when the server has agreed; `on_lost` is called exactly once."""

    def __init__(
        self,
        *,
        host: str,
        path: str,
        headers: dict[str, str],
        on_text: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._host, self._path, self._headers = host, path, headers
        self._on_text, self._on_lost = on_text, on_lost
        self._key = base64.b64encode(os.urandom(16))
        self._received = b""
        self._parts: list[bytes] = []
        self._is_open = False
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, text: str | bytes) -> None:
        """Send one text message; nothing happens when the connection is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(mask(TEXT, text.encode() if isinstance(text, str) else text))

    def close(self) -> None:
        """Say goodbye and close; what is queued is still sent."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(mask(CLOSE, (1000).to_bytes(2, "big")))
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read nothing more until `resume`: what comes waits in the kernel, and then at the server."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        opened = cast("asyncio.Transport", transport)
        self._transport = opened
        lines = [f"GET {self._path} HTTP/1.1", f"Host: {self._host}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {self._key.decode()}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        opened.write("\r\n".join([*lines, "", ""]).encode("ascii"))

    def data_received(self, data: bytes) -> None:
        """Read the answer to the handshake, then frame after frame."""
        received = self._received + data if self._received else data
        start = 0
        if not self._is_open:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                self._received = received
                if len(received) > LARGEST_HEAD_BYTES:
                    self.abort()
                return
            if not self._agree(received[:end]):
                return
            start = end + 4
        self._received = received[self._frames(received, start) :]

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the owner, once."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionResetError("the hub closed the connection during the handshake"))
            self.opened.exception()  # told to whoever waits; nobody may wait any more
        self._on_lost()

    def _agree(self, head: bytes) -> bool:
        """Read the answer to the handshake."""
        status, _, rest = head.partition(b"\r\n")
        wanted = base64.b64encode(hashlib.sha1(self._key + ACCEPT_SALT, usedforsecurity=False).digest())
        if not status.startswith(b"HTTP/1.1 101") or wanted not in rest:
            message = status.decode("latin-1")
            if not self.opened.done():
                self.opened.set_exception(ConnectRefused(code="websocket.refused", message=message))
            self.abort()
            return False
        self._is_open = True
        if not self.opened.done():
            self.opened.set_result(None)
        return True

    def _frames(self, data: bytes, start: int) -> int:
        """Hand on every whole frame of `data` from `start`; returns where the incomplete rest begins."""
        end = len(data)
        while end - start >= 2:
            size = data[start + 1]
            begin = start + (2 if size < 126 else 4 if size == 126 else 10)
            if begin > end:
                break
            if size >= 126:
                size = int.from_bytes(data[start + 2 : begin], "big")
            if size > LARGEST_MESSAGE_BYTES:
                self.abort()
                return end
            if begin + size > end:
                break
            self._frame(data[start], data[begin : begin + size])
            start = begin + size
        return start

    def _frame(self, first: int, payload: bytes) -> None:
        if first == 0x80 | TEXT:
            self._on_text(payload)
            return
        opcode = first & 0x0F
        if opcode in (TEXT, BINARY, CONTINUATION):
            self._parts.append(payload)
            if first & 0x80:
                whole, self._parts = b"".join(self._parts), []
                self._on_text(whole)
        elif opcode == PING and self._transport is not None:
            self._transport.write(mask(PONG, payload))
        elif opcode == CLOSE:
            self.close()


async def open_websocket(
    url: str,
    *,
    on_text: Callable[[bytes], None],
    on_lost: Callable[[], None],
    headers: dict[str, str] | None = None,
) -> WebSocket:
    """Connect to an http(s) or ws(s) URL and agree on a WebSocket within 10 s.

    Raises `OSError` (nobody listens, cut), `TimeoutError` or `ConnectRefused`.
    """
    parts = urlsplit(url)
    is_secure = parts.scheme in ("https", "wss")
    port = parts.port or (443 if is_secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def connection() -> WebSocket:
        return WebSocket(host=parts.netloc, path=path, headers=headers or {}, on_text=on_text, on_lost=on_lost)

    context = ssl.create_default_context() if is_secure else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
        _, websocket = await loop.create_connection(connection, parts.hostname or "127.0.0.1", port, ssl=context)
        try:
            await websocket.opened
        except BaseException:
            websocket.abort()
            raise
    return websocket
