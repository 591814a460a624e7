"""What the hub tells beside changes, and how each frame is read; the shapes are those of the public protocol.

Unknown fields are left out: the protocol may grow within its version.
"""

from __future__ import annotations

import msgspec

from hub.client.fold import Change


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The product clock and the head of each subscribed topic."""

    at: str
    rate: float = 1.0
    topics: dict[str, int | None] = {}


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A frame about one topic: `resync`, `revoked`."""

    topic: str
    reason: str = ""


class Draining(msgspec.Struct, frozen=True, kw_only=True):
    """The worker is going away."""

    reconnect_in_ms: float = 0


CHANGE = msgspec.json.Decoder(Change)
HEAD = msgspec.json.Decoder(Head)
NAMED = msgspec.json.Decoder(Named)
DRAINING = msgspec.json.Decoder(Draining)
