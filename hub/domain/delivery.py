"""The delivery, the offer and the rider's shift: their states and moves.

waiting ─offer─► offered ─accept─► assigned ─arrive─► at_kitchen ─pick-up─► picked_up ─at-door─► at_door
   ▲────lapse───────┘                 │                  │                      │                   │
   ▲──────────────unassign────────────┴──────────────────┘                      └─fail─► failed ◄───┤
waiting, offered ─assign─► assigned (by hand)                                              │     deliver
cancel: before pick-up                              returned ◄─return─ returning ◄─return──┘        ▼
                                                                                                delivered
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.move import Machine, Move


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    ASSIGNED = "assigned"
    AT_KITCHEN = "at_kitchen"
    PICKED_UP = "picked_up"
    AT_DOOR = "at_door"
    DELIVERED = "delivered"
    FAILED = "failed"
    RETURNING = "returning"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class OfferState(StrEnum):
    """Where an offer of a delivery to one rider stands."""

    LIVE = "live"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ShiftState(StrEnum):
    """Whether a rider works."""

    OFF = "off"
    ON = "on"
    BREAK = "break"


S = DeliveryStatus
ENDED = (S.DELIVERED, S.RETURNED, S.CANCELLED)
WITH_RIDER = (S.ASSIGNED, S.AT_KITCHEN, S.PICKED_UP, S.AT_DOOR, S.FAILED, S.RETURNING)
VISIBLE_RIDER = (S.PICKED_UP, S.AT_DOOR)
BEFORE_PICK_UP = (S.WAITING, S.OFFERED, S.ASSIGNED, S.AT_KITCHEN)

DELIVERY = Machine(
    entity="delivery",
    initial=S.WAITING,
    birth="place",
    moves=(
        Move(name="offer", sources=(S.WAITING,), target=S.OFFERED, event="delivery.offered"),
        Move(name="lapse", sources=(S.OFFERED,), target=S.WAITING, event="delivery.waiting"),
        Move(name="assign", sources=(S.WAITING, S.OFFERED), target=S.ASSIGNED, event="delivery.assigned"),
        Move(name="unassign", sources=(S.ASSIGNED, S.AT_KITCHEN), target=S.WAITING, event="delivery.unassigned"),
        Move(name="arrive", sources=(S.ASSIGNED,), target=S.AT_KITCHEN, event="delivery.at_kitchen"),
        Move(name="pick-up", sources=(S.AT_KITCHEN,), target=S.PICKED_UP, event="delivery.picked_up"),
        Move(name="at-door", sources=(S.PICKED_UP,), target=S.AT_DOOR, event="delivery.at_door"),
        Move(name="deliver", sources=(S.AT_DOOR,), target=S.DELIVERED, event="delivery.delivered"),
        Move(name="fail", sources=(S.PICKED_UP, S.AT_DOOR), target=S.FAILED, event="delivery.failed"),
        Move(name="return", sources=(S.FAILED,), target=S.RETURNING, event="delivery.returning"),
        Move(name="return", sources=(S.RETURNING,), target=S.RETURNED, event="delivery.returned"),
        Move(name="cancel", sources=BEFORE_PICK_UP, target=S.CANCELLED, event="delivery.cancelled"),
    ),
)

OFFER = Machine(
    entity="offer",
    initial=OfferState.LIVE,
    birth="offer",
    moves=(
        Move(name="accept", sources=(OfferState.LIVE,), target=OfferState.ACCEPTED, event="offer.accepted"),
        Move(name="decline", sources=(OfferState.LIVE,), target=OfferState.DECLINED, event="offer.declined"),
        Move(name="expire", sources=(OfferState.LIVE,), target=OfferState.EXPIRED, event="offer.expired"),
        Move(name="withdraw", sources=(OfferState.LIVE,), target=OfferState.WITHDRAWN, event="offer.withdrawn"),
    ),
)

SHIFT = Machine(
    entity="rider",
    initial=ShiftState.OFF,
    birth="create",
    moves=(
        Move(name="start", sources=(ShiftState.OFF, ShiftState.BREAK), target=ShiftState.ON, event="rider.on_shift"),
        Move(name="break", sources=(ShiftState.ON,), target=ShiftState.BREAK, event="rider.on_break"),
        Move(name="end", sources=(ShiftState.ON, ShiftState.BREAK), target=ShiftState.OFF, event="rider.off_shift"),
    ),
)
