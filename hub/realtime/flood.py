"""How fast one socket may ask, and what it hears when it asks faster.

Invariant: refusing costs far less than handling: only the head of a refused packet is read, and an answer goes out
only where one was asked for. DISCONNECT is never refused politely: a client that floods to its end is closed.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.realtime import packets
from hub.realtime.frames import POLICY, PROTOCOL_ERROR, FrameError
from hub.realtime.packets import LivePacket


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many events a second, and so many at once."""

    per_second: float
    burst: int


@dataclass(slots=True)
class TokenBucket:
    """What is left of a socket's rate; one token an event."""

    tokens: float
    refilled_at: float

    def retry_after(self, now: float, rate: Rate) -> float:
        """Takes a token and returns 0.0, or returns the seconds until there is one to take."""
        self.tokens = min(float(rate.burst), self.tokens + (now - self.refilled_at) * rate.per_second)
        self.refilled_at = now
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / rate.per_second


def refusal(text: str, retry_after_seconds: float) -> LivePacket | None:
    """The answer to a packet that comes too soon, if it asked for one.

    Raises `FrameError` for a malformed packet, and for a DISCONNECT.
    """
    head = packets.packet_head(text)
    if head is None:
        raise FrameError(PROTOCOL_ERROR, "malformed packet")
    kind, namespace, number = head
    error = {"code": "rate_limited", "message": "too many events", "retry_after": round(retry_after_seconds, 3)}
    if kind == packets.DISCONNECT:
        raise FrameError(POLICY, "too many events")
    if kind == packets.CONNECT:
        return LivePacket(packets.CONNECT_ERROR, {"message": error["message"], "data": error}, namespace=namespace)
    if kind == packets.EVENT and number is not None:
        return LivePacket(packets.ACK, [{"ok": False, "error": error}], namespace=namespace, id=number)
    return None
