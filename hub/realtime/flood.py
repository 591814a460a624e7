"""How fast one socket may ask, and what it hears when it asks faster.

Invariant: refusing costs far less than handling: only the head of a refused packet is read, and an answer goes out
only where one was asked for. DISCONNECT is never refused politely: a client that floods to its end is closed. Nor is
a client refused for ever: one that is refused `most_refused` times without once keeping quiet until its whole burst
has come back (2 s at 20/s and 40) is closed too.

Whoever is refused hears when a token will be there that nobody else was told of: a client that has much to ask, and
asks again when told, is refused once an event, not every one of them again at every token.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hub.realtime import packets
from hub.realtime.frames import POLICY, PROTOCOL_ERROR, FrameError
from hub.realtime.packets import LivePacket


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many events a second, so many at once, and so many refused before the client is closed."""

    per_second: float
    burst: int
    most_refused: int


@dataclass(slots=True)
class TokenBucket:
    """What is left of a socket's rate, one token an event; `refused` since the bucket was last full.

    `promised_at` is the time of the last token that a refused event was told to come back for.
    """

    tokens: float
    refilled_at: float
    refused: int = 0
    promised_at: float = 0.0

    def retry_after(self, now: float, rate: Rate, *, is_behind: bool = False) -> float:
        """Takes a token and returns 0.0, or returns the seconds until it is worth asking again.

        A client that has left a whole burst unworked `is_behind`, and gets none. Raises `FrameError` for one that has
        been refused too often.
        """
        self.tokens = min(float(rate.burst), self.tokens + (now - self.refilled_at) * rate.per_second)
        self.refilled_at = now
        if self.tokens >= rate.burst:
            self.refused = 0
        if self.tokens >= 1.0 and not is_behind:
            self.tokens -= 1.0
            return 0.0
        self.refused += 1
        if self.refused > rate.most_refused:
            raise _too_many()
        soonest_at = now + (1.0 if is_behind else 1.0 - self.tokens) / rate.per_second
        self.promised_at = max(soonest_at, self.promised_at + 1.0 / rate.per_second)
        return self.promised_at - now


def refusal(text: str, retry_after_seconds: float) -> LivePacket | None:
    """The answer to a packet that comes too soon, if it asked for one.

    Raises `FrameError` for a malformed packet, and for a DISCONNECT.
    """
    head = packets.packet_head(text)
    if head is None:
        raise FrameError(PROTOCOL_ERROR, "malformed packet")
    kind, namespace, number = head
    again = ceil(retry_after_seconds * 1000) / 1000
    error = {"code": "rate_limited", "message": "too many events", "retry_after": again}
    if kind == packets.DISCONNECT:
        raise _too_many()
    if kind == packets.CONNECT:
        return LivePacket(packets.CONNECT_ERROR, {"message": error["message"], "data": error}, namespace=namespace)
    if kind == packets.EVENT and number is not None:
        return LivePacket(packets.ACK, [{"ok": False, "error": error}], namespace=namespace, id=number)
    return None


def _too_many() -> FrameError:
    return FrameError(POLICY, "too many events", closing="rate_limited")
