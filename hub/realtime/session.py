"""One Engine.IO v4 session: what carries it, its packets, and how it ends.

Invariant: a session ends once, whoever ends it, and its keeper is told once. Whoever is in the default namespace
hears why before it is closed from here: `closing {code, reconnect}`, then the close frame. An idle session owns no
task and no queue; the order in which packets are handled is kept by turns.py, their rate by flood.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from hub.realtime import frames
from hub.realtime.transport import Carrier

if TYPE_CHECKING:
    from hub.realtime.flood import TokenBucket

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PING_PACKET, CLOSE_PACKET, NOOP_PACKET = b"2", b"1", b"6"
DEFAULT_NAMESPACE = "/"
# The codes of `closing` that the engine tells, and whether it makes sense to come back the same.
RECONNECT = {"bad_request": False, "rate_limited": True, "too_slow": True, "ping_timeout": True, "going_away": True}


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

    def close(self, code: int, reason: str, *, farewell: bytes = b"") -> None:
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
            self.end("transport error", code=error.code, told=error.reason, closing=error.closing)

    def ping(self, *, pong_due: float) -> None:
        """Asks the client whether it is there; it must answer until `pong_due` (loop time)."""
        self.pong_due = pong_due
        self.carrier.answer(PING_PACKET)

    def end(self, reason: str, *, code: int, told: str = "", closing: str = "") -> None:
        """Ends the session: the keeper learns the reason, the client the WebSocket close code and `told`.

        With `closing`, a word of `RECONNECT`, a client of the default namespace is sent that event first.
        """
        carrier, self.carrier = self.carrier, GONE
        if carrier is GONE:
            return
        self.environ = None
        member = self.members.get(DEFAULT_NAMESPACE)
        is_told = bool(closing) and member is not None and member.is_in
        carrier.close(code, told or reason, farewell=_CLOSING[closing] if is_told else b"")
        self.keeper.session_ended(self, reason)

    def carrier_failed(self, carrier: Carrier, error: frames.FrameError) -> None:
        """The client broke the rules of its transport: the session ends, unless another transport has taken over."""
        if self.carrier is carrier:
            self.end("transport error", code=error.code, told=error.reason, closing=error.closing)
        else:
            carrier.close(error.code, error.reason)

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


_CLOSING = {
    code: frames.event_frame("closing", orjson.dumps({"code": code, "reconnect": is_worth_it}))
    for code, is_worth_it in RECONNECT.items()
}
