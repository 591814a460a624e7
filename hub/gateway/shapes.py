"""The shapes of answers, as routes declare them: the OpenAPI document is made of them, and tests hold answers to it.

A shape is a dictionary (an object of these names; one that ends in `?` may be left out), a list of one (an array), a
`Row` (an entity as its views cut it), or a type that msgspec knows. What a field of a row is follows from its name,
whose suffix is its unit; the few that do not are listed. A test compares all of it with the columns of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.domain.block import BlockEffect, BlockKind
from hub.domain.events import MACHINES, STATE_COLUMN
from hub.domain.payment import PaymentMethod
from hub.domain.roles import Role
from hub.domain.security import SecurityKind, Severity
from hub.domain.views import VIEWS


@dataclass(frozen=True, slots=True)
class Row:
    """An entity's row, as far as the asking principal may see it; always with its version."""

    entity: str


# The id after which the next page begins.
NEXT = str | None

STATES: dict[str, Any] = {
    f"{machine.entity}.{STATE_COLUMN[machine.entity]}": type(machine.initial) for machine in MACHINES
}
EXACT: dict[str, Any] = STATES | {
    "order.payment_method": PaymentMethod,
    "payment.method": PaymentMethod,
    "grant.role": Role,
    "security.kind": SecurityKind,
    "security.severity": Severity,
    "security.at": datetime,
    "security.request_id": str,
    "line.fire_at": datetime,
    "line.allergens": list[str],
    "item.allergens": list[str],
    "item.portions_left": int | None,
    "order.placed_at": datetime,
    "offer.created_at": datetime,
    "offer.expires_at": datetime,
    "delivery.created_at": datetime,
    "block.created_at": datetime,
    "block.kind": BlockKind,
    "block.effect": BlockEffect,
    "review.created_at": datetime,
    "review.expires_at": datetime,
    "review.decided_by": UUID,
    "block.expires_at": datetime,
    "session.created_at": datetime,
    "session.expires_at": datetime,
    "order.accept_by": datetime,
    "order.promised_at": datetime,
    "order.ready_expected_at": datetime,
    "offer.ready_expected_at": datetime,
    "kitchen.paused_until": datetime | None,
}
NULLABLE = frozenset(
    {
        "order.reason", "order.rider_id", "delivery.reason", "delivery.rider_id", "delivery.rider_name",
        "delivery.visible_rider_name", "payment.collected_minor", "review.decided_by", "review.decision",
        "security.person_id", "security.request_id",
    }
)  # fmt: skip
WHOLE_NUMBERS = ("_minor", "_seconds", "_metres", "_orders", "_count")
SUFFIXES: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("_at",), datetime | None),
    (("_id",), UUID),
    (WHOLE_NUMBERS, int),
    (("_lat", "_lon"), float),
)
WORDS: dict[str, Any] = {
    "id": UUID, "lat": float, "lon": float, "version": int, "quantity": int, "position": int, "auto_accept": bool,
}  # fmt: skip


def type_of(entity: str, field: str) -> Any:
    """What a field of an entity's row is, as a type."""
    name = f"{entity}.{field}"
    kind = EXACT.get(name) or WORDS.get(field) or _by_name(field)
    return kind | None if name in NULLABLE else kind


def _by_name(field: str) -> Any:
    if field.startswith("is_"):
        return bool
    return next((kind for suffixes, kind in SUFFIXES if field.endswith(suffixes)), str)


def fields_of(entity: str) -> dict[str, Any]:
    """Every field that some view of the entity has, with its type."""
    names = dict.fromkeys(name for fields in VIEWS[entity].values() for name in fields)
    return {name: type_of(entity, name) for name in names} | {"version": int}


def always_of(entity: str) -> list[str]:
    """The fields that every view of the entity has."""
    views = list(VIEWS[entity].values())
    return [*(name for name in views[0] if all(name in view for view in views)), "version"]
