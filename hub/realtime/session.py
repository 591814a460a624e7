"""One Engine.IO v4 session: its packets, their order, and the rate at which its client may ask.

Invariant: what a client sends is worked off one packet at a time, in the order sent, and its end comes last;
handlers of one socket never overtake each other. Nothing of the work outlives it: an idle session owns no task
and no queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from hub.realtime import frames
from hub.realtime.transport import Carrier

if TYPE_CHECKING:
    from hub.realtime.flood import TokenBucket

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PING_PACKET, CLOSE_PACKET, NOOP_PACKET = b"2", b"1", b"6"


class Keeper(Protocol):
    """Who keeps sessions: the engine."""

    def message_received(self, session: Session, text: str) -> None:
        """A Socket.IO packet has come; raises `FrameError` when it is malformed."""
        ...

    def pong_received(self, session: Session) -> None:
        """The client has answered a ping."""
        ...

    def session_ended(self, session: Session, reason: str) -> None:
        """The session is over; told once."""
        ...

    def session_slow(self, session: Session) -> None:
        """The session's client does not drain."""
        ...

    def session_drained(self, session: Session) -> None:
        """The session's client drains again."""
        ...


class Gone:
    """What carries a session that is over: takes nothing."""

    queued_bytes = 0

    def write(self, frame: bytes) -> bool:
        """Refuses."""
        return False

    def answer(self, text: bytes) -> bool:
        """Refuses."""
        return False

    def close(self, code: int, reason: str) -> None:
        """Nothing is left to close."""


GONE = Gone()


class Session:
    """A client from its handshake to its end, over whichever transport carries it."""

    __slots__ = (
        "address",
        "bucket",
        "carrier",
        "data",
        "environ",
        "inbox",
        "keeper",
        "members",
        "pong_due",
        "sid",
    )

    def __init__(self, sid: str, keeper: Keeper, address: str, environ: Mapping[str, Any]) -> None:
        self.sid = sid
        self.keeper = keeper
        self.address = address
        # Headers and query of the handshake, for the connect handlers; dropped once a namespace has let the client in.
        self.environ: Mapping[str, Any] | None = environ
        self.carrier: Carrier = GONE
        self.members: dict[str, Any] = {}
        self.pong_due: float | None = None
        self.bucket: TokenBucket | None = None
        self.inbox: deque[Any] | None = None
        self.data: dict[str, Any] | None = None

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self.carrier is GONE

    @property
    def upgraded(self) -> bool:
        """Whether a WebSocket carries the session."""
        return isinstance(self.carrier, asyncio.Protocol)

    def text_received(self, text: str) -> None:
        """Takes one Engine.IO packet from the client; a malformed one ends the session."""
        kind = text[:1]
        try:
            if kind == MESSAGE:
                self.keeper.message_received(self, text[1:])
            elif kind == PONG:
                self.keeper.pong_received(self)
            elif kind == CLOSE:
                self.end("client disconnect", code=frames.NORMAL)
            else:
                raise frames.FrameError(frames.PROTOCOL_ERROR, "unknown packet")
        except frames.FrameError as error:
            self.end("transport error", code=error.code, told=error.reason)

    def ping(self, *, pong_due: float) -> None:
        """Asks the client whether it is there; it must answer until `pong_due` (loop time)."""
        self.pong_due = pong_due
        self.carrier.answer(PING_PACKET)

    def end(self, reason: str, *, code: int, told: str = "") -> None:
        """Ends the session: the keeper learns the reason, the client the WebSocket close code and `told`."""
        carrier, self.carrier = self.carrier, GONE
        if carrier is GONE:
            return
        self.environ = None
        carrier.close(code, told or reason)
        self.keeper.session_ended(self, reason)

    def carrier_lost(self, carrier: Carrier, reason: str) -> None:
        """The transport is gone, and the session with it, unless another transport has taken over."""
        if self.carrier is carrier:
            self.carrier, self.environ = GONE, None
            self.keeper.session_ended(self, reason)

    def carrier_slow(self) -> None:
        """The client does not drain."""
        self.keeper.session_slow(self)

    def carrier_drained(self) -> None:
        """The client drains again."""
        self.keeper.session_drained(self)
