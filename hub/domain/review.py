"""The review of an order whose customer is to be looked at first: its states and moves.

waiting ─approve─► approved          waiting ─refuse─► refused          waiting ─lapse─► lapsed

Invariant: while a review waits, no kitchen can accept its order. A refusal rejects the order in the same statement; a
review lapses when its order ends without it (cancelled, rejected, or not accepted in time).
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.move import Machine, Move


class ReviewState(StrEnum):
    """Where a review stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"


S = ReviewState

REVIEW = Machine(
    entity="review",
    initial=S.WAITING,
    birth="place",
    moves=(
        Move(name="approve", sources=(S.WAITING,), target=S.APPROVED, event="review.approved"),
        Move(name="refuse", sources=(S.WAITING,), target=S.REFUSED, event="review.refused"),
        Move(name="lapse", sources=(S.WAITING,), target=S.LAPSED, event="review.lapsed"),
    ),
)
