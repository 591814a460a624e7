"""Which entity is in which kind of topic, with which fields: deny by default.

REST answers, snapshots and changes all cut their rows with this table. A field that is not listed for a kind of topic
never leaves the house through it; an entity without an entry for a kind is never in such a topic.
The database's `topics_of(...)` functions say *whether* a row is in a topic; a test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.domain.topics import TopicKind

K = TopicKind

_ORDER_TIMES = (
    "placed_at", "accept_by", "accepted_at", "promised_at", "started_at", "ready_expected_at", "ready_at",
    "picked_up_at", "delivered_at", "ended_at", "archived_at",
)  # fmt: skip
_ORDER_BASE = (
    "id",
    "code",
    "kitchen_id",
    "kitchen_name",
    "brand_id",
    "brand_name",
    "status",
    "reason",
    "items_count",
    *_ORDER_TIMES,
)
_ORDER_MONEY = ("subtotal_minor", "delivery_fee_minor", "total_minor", "currency", "payment_method")
_ORDER_CUSTOMER = (*_ORDER_BASE, *_ORDER_MONEY, "note", "drop_lat", "drop_lon", "delivery_pin", "rider_id")
_PLACES = ("pickup_name", "pickup_lat", "pickup_lon", "drop_lat", "drop_lon", "distance_metres")
_DELIVERY_TIMES = (
    "created_at",
    "assigned_at",
    "at_kitchen_at",
    "picked_up_at",
    "at_door_at",
    "delivered_at",
    "ended_at",
    "archived_at",
)
# A customer sees the rider only on the way, and only the first name: the database says when.
_DELIVERY_SHOWN = (
    "id", "order_id", "order_code", "kitchen_id", "status", "reason", "visible_rider_name", *_DELIVERY_TIMES,
)  # fmt: skip
_DELIVERY_BASE = (*_DELIVERY_SHOWN, "rider_id", "rider_name")
_LINE = (
    "id", "order_id", "kitchen_id", "station_id", "item_id", "name", "quantity", "options", "allergens", "state",
    "prep_seconds", "fire_at", "fired_at", "started_at", "done_at", "checked_at", "position", "archived_at",
)  # fmt: skip
_KITCHEN = ("id", "region", "code", "name", "lat", "lon", "time_zone", "currency", "is_open", "paused_until")
_KITCHEN_STAFF = (*_KITCHEN, "capacity_orders", "accept_seconds", "auto_accept")
_RIDER = (
    "id",
    "region",
    "name",
    "vehicle",
    "shift",
    "capacity_orders",
    "home_lat",
    "home_lon",
    "shift_started_at",
    "shift_ends_at",
)
_OFFER = (
    "id", "delivery_id", "order_id", "order_code", "kitchen_id", "rider_id", "state", "fee_minor", "currency",
    "ready_expected_at", "created_at", "expires_at", "approach_metres", *_PLACES,
)  # fmt: skip
# The reason of the block behind a review is for those who decide, not for the kitchen.
_REVIEW = ("id", "order_id", "order_code", "kitchen_id", "state", "created_at", "expires_at", "decided_at")
_ITEM = (
    "id",
    "kitchen_id",
    "brand_id",
    "brand_name",
    "name",
    "price_minor",
    "currency",
    "allergens",
    "is_available",
    "portions_left",
)

VIEWS: dict[str, dict[TopicKind, tuple[str, ...]]] = {
    "kitchen": {K.KITCHEN: _KITCHEN_STAFF, K.OPERATIONS: _KITCHEN_STAFF, K.MENU: _KITCHEN},
    "brand": {K.KITCHEN: ("id", "kitchen_id", "name"), K.MENU: ("id", "kitchen_id", "name")},
    "station": {K.KITCHEN: ("id", "kitchen_id", "code", "name", "position")},
    "item": {K.KITCHEN: (*_ITEM, "station_id", "prep_seconds"), K.MENU: _ITEM},
    "order": {
        K.KITCHEN: (*_ORDER_BASE, "note", "customer_name", "is_rush", "rider_id"),
        K.ORDER: _ORDER_CUSTOMER,
        K.CUSTOMER: _ORDER_CUSTOMER,
        K.RIDER: (*_ORDER_BASE, "note", "customer_name", "total_minor", "currency", "payment_method"),
        K.OPERATIONS: (*_ORDER_BASE, *_ORDER_MONEY, "region", "customer_id", "customer_name", "is_rush", "rider_id"),
    },
    "line": {
        K.KITCHEN: _LINE,
        K.ORDER: ("id", "order_id", "name", "quantity", "options", "price_minor", "state", "position"),
    },
    "delivery": {
        K.KITCHEN: _DELIVERY_BASE,
        K.ORDER: (*_DELIVERY_SHOWN, *_PLACES),
        K.CUSTOMER: _DELIVERY_SHOWN,
        K.RIDER: (*_DELIVERY_BASE, *_PLACES, "cash_due_minor", "currency", "fee_minor"),
        K.OPERATIONS: (*_DELIVERY_BASE, *_PLACES, "region", "cash_due_minor", "currency"),
    },
    "offer": {K.RIDER: _OFFER, K.OPERATIONS: _OFFER},
    "rider": {K.RIDER: _RIDER, K.OPERATIONS: _RIDER},
    "payment": {K.ORDER: ("id", "order_id", "method", "state", "amount_minor", "currency", "collected_minor")},
    "user": {K.USER: ("id", "name", "locale", "is_active")},
    "grant": {K.USER: ("id", "person_id", "role", "scope", "expires_at")},
    "block": {
        K.ADMINISTRATION: (
            "id",
            "kind",
            "subject",
            "effect",
            "reason",
            "author_id",
            "created_at",
            "expires_at",
            "lifted_at",
        )
    },
    "review": {
        K.KITCHEN: _REVIEW,
        K.OPERATIONS: (
            *_REVIEW,
            "region",
            "kitchen_name",
            "customer_name",
            "total_minor",
            "currency",
            "reason",
            "decided_by",
            "decision",
            "block_id",
        ),
    },
    "security": {K.ADMINISTRATION: ("id", "at", "kind", "severity", "person_id", "ip", "detail", "request_id")},
    "session": {K.USER: ("id", "person_id", "created_at", "expires_at", "revoked_at", "device")},
}

ENTITIES = tuple(VIEWS)


def entities_in(kind: TopicKind) -> tuple[str, ...]:
    """The entities that a topic of this kind may hold."""
    return tuple(entity for entity, kinds in VIEWS.items() if kind in kinds)


def cut(entity: str, kind: TopicKind, row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `row` that a topic of `kind` may see, with its `version`. Raises `KeyError` for an unlisted pair."""
    seen = {name: row[name] for name in VIEWS[entity][kind] if name in row}
    seen["version"] = row["version"]
    return seen
