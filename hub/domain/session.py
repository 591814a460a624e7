"""A sign-in: live until it is revoked or has expired.

live ─revoke─► revoked

Invariant: a session never comes back to life; whoever holds its tokens afterwards is refused on every worker.
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.move import Machine, Move


class SessionState(StrEnum):
    """Where a sign-in stands."""

    LIVE = "live"
    REVOKED = "revoked"


class SessionKind(StrEnum):
    """How somebody signed in."""

    PHONE = "phone"
    PASSWORD = "password"  # noqa: S105 - the word, not the thing
    DEVICE = "device"
    DEMO = "demo"
    MINTED = "minted"


SESSION = Machine(
    entity="session",
    initial=SessionState.LIVE,
    birth="sign-in",
    moves=(Move(name="revoke", sources=(SessionState.LIVE,), target=SessionState.REVOKED, event="session.revoked"),),
)
