"""The present rows of a topic: one statement per entity and kind of topic, used by subscribe.

Whether a row is in a topic is said twice, here and by the database's `topics_of`; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement
from hub.domain.topics import TopicKind
from hub.domain.views import VIEWS

K = TopicKind
TABLES = {
    "order": "orders",
    "line": "order_line",
    "user": "person",
    "grant": "role_grant",
    "security": "security_event",
}
_OPEN = "archived_at is null and "
_KEY = "{} = cast(:key as uuid)"
_ALWAYS = "cast(:key as text) is not null"

# (kind, entity) -> condition on the entity's table; every pair of `VIEWS` has one
CONDITIONS: dict[tuple[TopicKind, str], str] = {
    (K.KITCHEN, "kitchen"): _KEY.format("id"),
    (K.KITCHEN, "brand"): _KEY.format("kitchen_id"),
    (K.KITCHEN, "station"): _KEY.format("kitchen_id"),
    (K.KITCHEN, "item"): _KEY.format("kitchen_id"),
    (K.KITCHEN, "order"): _OPEN + _KEY.format("kitchen_id"),
    (K.KITCHEN, "line"): _OPEN + _KEY.format("kitchen_id"),
    (K.KITCHEN, "delivery"): _OPEN + _KEY.format("kitchen_id"),
    (K.MENU, "kitchen"): _KEY.format("id"),
    (K.MENU, "brand"): _KEY.format("kitchen_id"),
    (K.MENU, "item"): _KEY.format("kitchen_id"),
    (K.ORDER, "order"): _KEY.format("id"),
    (K.ORDER, "line"): _KEY.format("order_id"),
    (K.ORDER, "payment"): _KEY.format("order_id"),
    (K.ORDER, "delivery"): _KEY.format("order_id"),
    (K.CUSTOMER, "order"): _OPEN + _KEY.format("customer_id"),
    (K.CUSTOMER, "delivery"): _OPEN + _KEY.format("customer_id"),
    (K.RIDER, "order"): _OPEN + _KEY.format("rider_id"),
    (K.RIDER, "delivery"): _OPEN + _KEY.format("rider_id"),
    (K.RIDER, "offer"): "state = 'live' and " + _KEY.format("rider_id"),
    (K.RIDER, "rider"): _KEY.format("id"),
    (K.OPERATIONS, "kitchen"): "region = cast(:key as text)",
    (K.OPERATIONS, "rider"): "region = cast(:key as text)",
    (K.OPERATIONS, "order"): _OPEN + "region = cast(:key as text)",
    (K.OPERATIONS, "delivery"): _OPEN + "region = cast(:key as text)",
    (K.OPERATIONS, "offer"): "state = 'live' and region = cast(:key as text)",
    (K.ADMINISTRATION, "block"): "lifted_at is null and " + _ALWAYS,
    (K.ADMINISTRATION, "security"): "at > clock_timestamp() - interval '1 day' and " + _ALWAYS,
    (K.KITCHEN, "review"): "state = 'waiting' and " + _KEY.format("kitchen_id"),
    (K.OPERATIONS, "review"): "state = 'waiting' and region = cast(:key as text)",
    (K.USER, "user"): _KEY.format("id"),
    (K.USER, "grant"): _KEY.format("person_id"),
    (K.USER, "session"): _KEY.format("person_id"),
}


def _statement(kind: TopicKind, entity: str) -> Statement:
    table = TABLES.get(entity, entity)
    return Statement(text(f"select row_to_json({table})::text from {table} where {CONDITIONS[kind, entity]}"))


SNAPSHOT: dict[TopicKind, dict[str, Statement]] = {
    kind: {entity: _statement(kind, entity) for entity, kinds in VIEWS.items() if kind in kinds} for kind in TopicKind
}
