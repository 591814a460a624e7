"""One client's WebSocket after the handshake: frames in, frames out, nothing in between.

Invariant: what the hub keeps for a client is within its bound (bound.py), however long a write is: `write` refuses what
passes it. No task, no queue and no timer exists per connection or per delivery: bytes go to the transport, which hands
them to the kernel at once while nothing is queued.

    open ──close()──▶ closing (close frame sent, input read and dropped) ──peer closes, or linger ends──▶ gone
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Protocol

from hub.realtime import frames
from hub.realtime.bound import Backlog, Bound
from hub.realtime.frames import FrameError, FrameReader


class Carrier(Protocol):
    """What carries a session to its client: a WebSocket, or long-polling."""

    @property
    def queued_bytes(self) -> int:
        """Bytes written for this client that the process still holds."""
        ...

    def write(self, frame: bytes) -> bool:
        """Sends complete text frames; False when the client is gone or they pass its bound (nothing was queued)."""
        ...

    def answer(self, text: bytes) -> bool:
        """Sends one Engine.IO packet outside the client's bound: heartbeats, acknowledgements, pages."""
        ...

    def close(self, code: int, reason: str, *, farewell: bytes = b"") -> None:
        """Ends the connection, telling `farewell` (text frames), code and reason where the transport can."""
        ...


class Owner(Protocol):
    """Who a connection reports to: an Engine.IO session."""

    def text_received(self, text: str) -> None:
        """A whole text message has come."""
        ...

    def carrier_lost(self, carrier: Carrier, reason: str) -> None:
        """The connection is closing or gone; told once."""
        ...

    def carrier_failed(self, carrier: Carrier, error: FrameError) -> None:
        """The client broke a rule; the owner closes the connection."""
        ...

    def carrier_slow(self) -> None:
        """A write was refused because the client does not drain; told once until it has drained."""
        ...

    def carrier_drained(self) -> None:
        """A slow client has taken what was queued."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What all connections of one server share."""

    message_bytes: int
    bound: Bound
    linger: Callable[[Connection], None]
    connections: set[asyncio.Protocol]


class Connection(asyncio.Protocol):
    """A WebSocket that writes straight to its transport; see the module for what is bounded, and how."""

    __slots__ = (
        "_backlog",
        "_is_slow",
        "_owner",
        "_reader",
        "_room_bytes",
        "_transport",
        "_wire",
        "_writable",
    )

    def __init__(self, owner: Owner, wire: Wire, transport: asyncio.Transport) -> None:
        self._owner: Owner | None = owner
        self._wire = wire
        self._reader: FrameReader | None = FrameReader(wire.message_bytes)
        self._transport = transport
        self._writable: asyncio.Transport | None = transport
        # How long a write may be that looks no further: 0 as soon as anything is queued.
        self._room_bytes = wire.bound.held_bytes
        self._backlog: Backlog | None = None
        self._is_slow = False
        # The transport tells us as soon as it queues, and when its queue is empty again.
        transport.set_write_buffer_limits(high=0)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(SOL_SOCKET, SO_SNDBUF, wire.bound.kernel_bytes)
        wire.connections.add(self)

    @property
    def queued_bytes(self) -> int:
        """Bytes that the process still holds for this client."""
        return 0 if self._writable is None else self._writable.get_write_buffer_size()

    def write(self, frame: bytes) -> bool:
        """Sends complete server frames (`frames.event_frame`), the same bytes for every subscriber.

        False when the client is gone, or would hold more than its bound: nothing was queued then, and the owner was
        told, once until the client has drained.
        """
        if len(frame) > self._room_bytes:
            return self._write_behind(frame)
        self._transport.write(frame)
        return True

    def _write_behind(self, frame: bytes) -> bool:
        """Sends a frame behind what is queued, if the bound allows it: answers lie beside it."""
        transport, backlog = self._writable, self._backlog
        if transport is None:
            return False
        queued_bytes = transport.get_write_buffer_size()
        room_bytes = self._wire.bound.held_bytes - queued_bytes
        if backlog is not None and len(frame) > room_bytes:
            room_bytes += backlog.answers_bytes(queued_bytes)
        if len(frame) > room_bytes:
            self._refuse()
            return False
        transport.write(frame)
        if backlog is not None:
            backlog.wrote(len(frame))
        return True

    def _refuse(self) -> None:
        if self._is_slow or self._owner is None:
            return
        self._is_slow = True
        self._owner.carrier_slow()
        if self._backlog is None:
            # One frame alone is longer than the bound: nothing is queued whose end would tell.
            asyncio.get_running_loop().call_soon(self._drained, context=contextvars.Context())

    def answer(self, text: bytes) -> bool:
        """Sends one packet that the client asked for, beside its bound; a client hoarding answers is closed.

        The goodbye waits behind what is hoarded: who reads before its linger ends learns why.
        """
        transport = self._writable
        if transport is None:
            return False
        frame = frames.text_frame(text)
        queued_bytes = transport.get_write_buffer_size()
        if queued_bytes + len(frame) > self._wire.bound.answers_bytes:
            self._refuse()
            self._failed(FrameError(frames.POLICY, "answers were not read", closing="too_slow"))
            return False
        backlog = self._backlog
        transport.write(frame)
        if backlog is not None:
            backlog.answered(len(frame))
        elif self._backlog is not None:
            # This answer is the first that the kernel does not take whole.
            self._backlog = Backlog(0)
            self._backlog.answered(transport.get_write_buffer_size())
        return True

    def close(
        self, code: int = frames.NORMAL, reason: str = "", *, farewell: bytes = b"", told: str = "server disconnect"
    ) -> None:
        """Says goodbye with a close frame; the owner learns `told` at once, the socket goes when the peer closes.

        Input is read and dropped until then, so that the goodbye is not lost in a reset; a peer that stays is cut
        off when its linger ends.
        """
        if self._writable is None:
            return
        self._writable.write(farewell + frames.close_frame(code, reason))
        self._leave(told)
        self._wire.linger(self)

    def abort(self) -> None:
        """Cuts the connection without a goodbye. Sanic calls this for what is left at the end of its shutdown."""
        self._leave("transport close")
        self._transport.abort()

    def close_if_idle(self) -> bool:
        """Sanic's call to every connection when it shuts down."""
        self.close(frames.GOING_AWAY, "server is going away")
        return True

    def _leave(self, told: str) -> None:
        owner, self._owner, self._writable, self._room_bytes = self._owner, None, None, 0
        if owner is not None:
            owner.carrier_lost(self, told)

    def data_received(self, data: bytes) -> None:
        """Input from the peer."""
        if self._reader is None:
            return
        try:
            for opcode, payload in self._reader.feed(data):
                self._message(opcode, payload)
                if self._transport.is_closing():
                    return
        except FrameError as error:
            # What follows a breach has no frames to find the peer's goodbye in: ours, and the end of our side, must do.
            self._reader = None
            self._failed(error)
            if self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()

    def _failed(self, error: FrameError) -> None:
        if self._owner is not None:
            self._owner.carrier_failed(self, error)

    def _message(self, opcode: int, payload: bytes) -> None:
        if opcode == frames.TEXT:
            if self._owner is not None:
                self._owner.text_received(frames.utf8(payload))
        elif opcode == frames.PING:
            self.write(frames.pong_frame(payload))
        elif opcode == frames.CLOSE:
            code = frames.close_code(payload)
            self.close(code, told="transport close")
            self._transport.close()

    def eof_received(self) -> bool:
        """The peer has closed its side; the transport closes ours."""
        return False

    def pause_writing(self) -> None:
        """The transport has begun to queue: it says so within the write."""
        self._room_bytes = 0
        self._backlog = Backlog(self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The transport has sent all that it had queued."""
        self._backlog = None
        if self._writable is not None:
            self._room_bytes = self._wire.bound.held_bytes
        self._drained()

    def _drained(self) -> None:
        if self._is_slow:
            self._is_slow = False
            if self._owner is not None:
                self._owner.carrier_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._wire.connections.discard(self)
        self._leave("transport close" if exc is None else "transport error")
