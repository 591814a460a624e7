"""The order: its states and moves.

    placed ─accept─► accepted ─start─► preparing ─ready─► ready ─pick-up─► out_for_delivery ─deliver─► delivered
       ├─reject─► rejected                 ▲────recall──────┘                      └─fail─► delivery_failed
       └─expire─► expired           cancel: from placed, accepted, preparing, ready              └─return─► returned

`start`, `ready` and `recall` are derived from the lines by the database; the others are asked for.
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.move import Machine, Move


class OrderStatus(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    READY = "ready"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DELIVERY_FAILED = "delivery_failed"
    RETURNED = "returned"


S = OrderStatus
ENDED = (S.DELIVERED, S.REJECTED, S.EXPIRED, S.CANCELLED, S.RETURNED)
IN_KITCHEN = (S.PLACED, S.ACCEPTED, S.PREPARING, S.READY)

ORDER = Machine(
    entity="order",
    initial=S.PLACED,
    birth="place",
    moves=(
        Move(name="accept", sources=(S.PLACED,), target=S.ACCEPTED, event="order.accepted"),
        Move(name="reject", sources=(S.PLACED,), target=S.REJECTED, event="order.rejected"),
        Move(name="expire", sources=(S.PLACED,), target=S.EXPIRED, event="order.expired"),
        Move(name="start", sources=(S.ACCEPTED,), target=S.PREPARING, event="order.started"),
        Move(name="ready", sources=(S.PREPARING,), target=S.READY, event="order.ready"),
        Move(name="recall", sources=(S.READY,), target=S.PREPARING, event="order.recalled"),
        Move(name="pick-up", sources=(S.READY,), target=S.OUT_FOR_DELIVERY, event="order.picked_up"),
        Move(name="deliver", sources=(S.OUT_FOR_DELIVERY,), target=S.DELIVERED, event="order.delivered"),
        Move(name="fail", sources=(S.OUT_FOR_DELIVERY,), target=S.DELIVERY_FAILED, event="order.delivery_failed"),
        Move(name="return", sources=(S.DELIVERY_FAILED,), target=S.RETURNED, event="order.returned"),
        Move(name="cancel", sources=IN_KITCHEN, target=S.CANCELLED, event="order.cancelled"),
    ),
)
