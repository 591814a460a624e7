"""A client over HTTP long-polling, and its way up to a WebSocket.

Off by default: with several workers it needs sticky routing (DESIGN: no stickiness). Invariant: at most one poll
waits; what is written between two polls is kept in order, within the client's bound, and what a client has not
fetched when its session ends (why it was closed, for one) is kept for a last poll.

    GET waits for packets, POST brings some. Upgrade: WebSocket opens, "2probe" ▶ "3probe", polls are answered at
    once; "5" ▶ the WebSocket carries the session, what was queued goes first. One WebSocket at a time may try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hub.realtime import frames
from hub.realtime.bound import ANSWER_FACTOR
from hub.realtime.frames import FrameError
from hub.realtime.session import CLOSE, CLOSE_PACKET, MESSAGE, NOOP_PACKET, PONG, Session
from hub.realtime.transport import Carrier, Connection

SEPARATOR = "\x1e"
MOST_PACKETS = 64
# python-engineio's client refuses a payload of more.
MOST_PACKETS_A_POLL = 16
PROBE, PROBED, UPGRADE_PACKET = "2probe", b"3probe", "5"


class PollingConnection:
    """Carries a session by long-polling; after an upgrade it hands everything on to the WebSocket."""

    __slots__ = (
        "_bound_bytes",
        "_is_closed",
        "_is_probed",
        "_is_slow",
        "_on_unread",
        "_packets",
        "_poll",
        "_queued_bytes",
        "_session",
        "_socket",
        "is_upgrading",
    )

    def __init__(self, session: Session, bound_bytes: int, *, on_unread: Callable[[PollingConnection], None]) -> None:
        self._session = session
        self._bound_bytes = bound_bytes
        self._on_unread = on_unread
        # Whether a WebSocket is on its way to take over.
        self.is_upgrading = False
        self._packets: list[bytes] = []
        self._queued_bytes = 0
        self._poll: asyncio.Future[None] | None = None
        self._socket: Connection | None = None
        self._is_probed = False
        self._is_slow = False
        self._is_closed = False

    @property
    def sid(self) -> str:
        """The session that was or is carried."""
        return self._session.sid

    @property
    def queued_bytes(self) -> int:
        """Bytes kept for the next poll."""
        return self._queued_bytes if self._socket is None else self._socket.queued_bytes

    def write(self, frame: bytes) -> bool:
        """As `Connection.write`: takes the same frames, keeps their texts for the next poll."""
        if self._socket is not None:
            return self._socket.write(frame)
        if self._is_closed:
            return False
        if self._queued_bytes + len(frame) > self._bound_bytes:
            if not self._is_slow:
                self._is_slow = True
                self._session.carrier_slow()
            return False
        self._put(*frames.texts_of(frame))
        return True

    def answer(self, text: bytes) -> bool:
        """As `Connection.answer`."""
        if self._socket is not None:
            return self._socket.answer(text)
        if self._is_closed:
            return False
        if self._queued_bytes + len(text) > self._bound_bytes * ANSWER_FACTOR:
            self._session.end("transport error", code=frames.POLICY, closing="too_slow")
            return False
        self._put(text)
        return True

    def close(self, code: int = frames.NORMAL, reason: str = "", *, farewell: bytes = b"") -> None:
        """Answers a waiting poll, or the last one to come, with what is queued and CLOSE.

        Long-polling has no room for code and reason. A poll that waits while its own client closes is answered NOOP,
        as the protocol's suite has it; without anything to tell, the next poll finds no session.
        """
        if self._socket is not None:
            self._socket.close(code, reason, farewell=farewell)
            return
        if self._is_closed:
            return
        self._is_closed = True
        self._packets += frames.texts_of(farewell)
        is_left_by_client = reason == "client disconnect"
        is_unread = self._poll is None and bool(self._packets) and not is_left_by_client
        self._put(NOOP_PACKET if is_left_by_client else CLOSE_PACKET)
        if is_unread:
            self._on_unread(self)
        self._session.carrier_lost(self, "server disconnect")

    def _put(self, *packets: bytes) -> None:
        self._packets += packets
        self._queued_bytes += sum(map(len, packets))
        self._wake()

    def _wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    async def poll(self) -> bytes:
        """What is queued, as one payload, as soon as there is anything. Raises `FrameError` for a second poll."""
        if self._poll is not None:
            told = "two polls at once"
            self._session.end("transport error", code=frames.PROTOCOL_ERROR, told=told, closing="bad_request")
            raise FrameError(frames.PROTOCOL_ERROR, told)
        if not self._packets and not self._is_probed:
            self._poll = asyncio.get_running_loop().create_future()
            try:
                await self._poll
            except asyncio.CancelledError:
                self._session.end("transport close", code=frames.NORMAL)
                raise
            finally:
                self._poll = None
        return SEPARATOR.encode().join(self._take(MOST_PACKETS_A_POLL)) or NOOP_PACKET

    @property
    def is_read(self) -> bool:
        """Whether nothing is left to fetch."""
        return not self._packets

    def _take(self, most: int) -> list[bytes]:
        packets, self._packets = self._packets[:most], self._packets[most:]
        self._queued_bytes -= sum(map(len, packets))
        self._tell_drained()
        return packets

    def _tell_drained(self) -> None:
        if self._is_slow and not self._packets:
            self._is_slow = False
            self._session.carrier_drained()

    def posted(self, body: bytes) -> None:
        """Takes the packets of a POST, in order. Raises `FrameError`, and ends the session, for a malformed one."""
        try:
            packets = frames.utf8(body).split(SEPARATOR)
            if len(packets) > MOST_PACKETS or any(packet[:1] not in (MESSAGE, PONG, CLOSE) for packet in packets):
                raise FrameError(frames.PROTOCOL_ERROR, "malformed payload")
        except FrameError as error:
            self._session.carrier_failed(self, error)
            raise
        for packet in packets:
            self._session.text_received(packet)
            if self._session.closed:
                if packet != CLOSE:
                    raise FrameError(frames.PROTOCOL_ERROR, "malformed packet")
                return

    def probed(self) -> None:
        """A WebSocket has asked to take over: nothing waits in a poll any more."""
        self._is_probed = True
        self._wake()

    def unprobed(self) -> None:
        """The WebSocket that asked has gone without taking over."""
        self._is_probed = self.is_upgrading = False

    def upgrade(self, socket: Connection) -> None:
        """Hands what is queued, and everything to come, to the WebSocket."""
        packets, self._packets, self._queued_bytes = self._packets, [], 0
        self._socket = socket
        for packet in packets:
            socket.answer(packet)
        self._wake()
        # NOTE: last, because whoever hears it writes to this connection: that must go to the WebSocket.
        self._tell_drained()


class Upgrade:
    """Owns a WebSocket that asks for a session carried by polling, until it has it."""

    __slots__ = ("_is_probed", "_polling", "_session", "socket")

    def __init__(self, session: Session, polling: PollingConnection) -> None:
        self._session: Session = session
        self._polling = polling
        self._is_probed = False
        self.socket: Connection | None = None
        polling.is_upgrading = True

    @property
    def is_done(self) -> bool:
        """Whether the WebSocket carries the session."""
        return self._session.carrier is self.socket

    def text_received(self, text: str) -> None:
        """Probe, then upgrade, then the session's own packets."""
        socket = self.socket
        if socket is None:
            return
        if self.is_done:
            self._session.text_received(text)
        elif text == PROBE and not self._session.closed:
            self._is_probed = True
            self._polling.probed()
            socket.answer(PROBED)
        elif text == UPGRADE_PACKET and self._is_probed and self._session.carrier is self._polling:
            self._session.carrier = socket
            self._polling.upgrade(socket)
        else:
            socket.close(frames.PROTOCOL_ERROR, "malformed upgrade")

    def carrier_lost(self, carrier: Carrier, reason: str) -> None:
        """The WebSocket is gone; before the upgrade the session lives on by polling."""
        if self._session.carrier is self._polling:
            self._polling.unprobed()
        self._session.carrier_lost(carrier, reason)

    def carrier_failed(self, carrier: Carrier, error: FrameError) -> None:
        """The client broke the rules of its WebSocket."""
        self._session.carrier_failed(carrier, error)

    def carrier_slow(self) -> None:
        """The client does not drain."""
        self._session.carrier_slow()

    def carrier_drained(self) -> None:
        """The client drains again."""
        self._session.carrier_drained()
