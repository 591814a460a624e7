"""Orders, their lines and payments: the tables, and every statement that reads them. `db.order_moves` moves them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text, cast, func, literal_column, or_, select, text
from sqlalchemy.sql import ColumnElement

from db.metadata import ID, as_json, given, table
from db.scope import within
from db.statement import Statement

orders = table(
    "orders",
    ids="id kitchen_id brand_id customer_id rider_id",
    texts="code region kitchen_name brand_name customer_name status reason note currency payment_method delivery_pin",
    booleans="is_rush",
    integers="items_count",
    bigints="subtotal_minor delivery_fee_minor total_minor version",
    floats="drop_lat drop_lon",
    times="placed_at accept_by promised_at ready_expected_at accepted_at started_at ready_at picked_up_at delivered_at "
    "ended_at archived_at",
)
lines = table(
    "order_line",
    ids="id order_id kitchen_id station_id item_id",
    texts="name options state reason",
    integers="quantity position prep_seconds",
    bigints="price_minor version",
    arrays="allergens",
    times="fire_at fired_at started_at done_at checked_at archived_at",
)
payments = table(
    "payment", ids="id order_id", texts="method state currency reason", bigints="amount_minor collected_minor version"
)
tracking = table("tracking", ids="order_id", binaries="token_hash")

MINE = within(kitchen=orders.c.kitchen_id, region=orders.c.region, owners=(orders.c.customer_id, orders.c.rider_id))


def every_row(name: str, *, order_by: str) -> ColumnElement[str]:
    """All rows of a table as one JSON array, in text; for a correlated subquery."""
    rows = func.json_agg(literal_column(f'"{name}" order by {order_by}'))
    return cast(func.coalesce(rows, literal_column("'[]'::json")), Text)


_of_order = lines.c.order_id == orders.c.id
_lines = select(every_row("order_line", order_by="position, id")).where(_of_order).scalar_subquery()
_payment = select(as_json(payments)).where(payments.c.order_id == orders.c.id).scalar_subquery()
_delivery: Any = (
    select(literal_column("row_to_json(delivery)::text"))
    .select_from(text("delivery"))
    .where(text("delivery.order_id = orders.id"))
)

# primary key
ORDER_ROW = Statement(select(as_json(orders)).where(orders.c.id == given("order_id", ID), MINE))
# primary key; lines by order_line_order, payment and delivery by their unique order
ORDER_WHOLE = Statement(
    select(
        as_json(orders).label("order"),
        _lines.label("lines"),
        _payment.label("payment"),
        _delivery.correlate(orders).scalar_subquery().label("delivery"),
    ).where(orders.c.id == given("order_id", ID), MINE)
)


def _optional(column: Any, name: str, kind: Any = Text) -> ColumnElement[bool]:
    return or_(given(name, kind).is_(None), column == given(name, kind))


# primary key backwards (uuid7 follows time), filtered; `after` is the last id of the page before
ORDER_PAGE = Statement(
    select(as_json(orders))
    .where(
        MINE,
        _optional(orders.c.status, "status"),
        _optional(orders.c.kitchen_id, "kitchen_id", ID),
        or_(given("after", ID).is_(None), orders.c.id < given("after", ID)),
    )
    .order_by(orders.c.id.desc())
    .limit(literal_column("201"))
)
# audit_event_entity
TIMELINE = Statement(
    text(
        """select at, event, actor, reason from audit_event
        where entity_id = any(select cast(:order_id as text)
            union all select id::text from order_line where order_id = cast(:order_id as uuid)
            union all select id::text from delivery where order_id = cast(:order_id as uuid))
        order by id limit 500"""
    )
)
# tracking_pk
TRACKED = Statement(text("select order_id::text from tracking where token_hash = cast(:token_hash as bytea)"))
# orders_pk
PLACE_OF_ORDER = Statement(
    text("""select kitchen_id::text, region, customer_id::text from orders where id = cast(:order_id as uuid)""")
)
# tracking_pk, then as ORDER_WHOLE: an order for whoever holds its tracking token
TRACKED_WHOLE = Statement(
    text(
        """select row_to_json(o)::text as "order", row_to_json(k)::text as kitchen,
            (select row_to_json(d)::text from delivery d where d.order_id = o.id) as delivery,
            (select coalesce(json_agg(row_to_json(l) order by l.position), '[]')::text
                from order_line l where l.order_id = o.id) as lines
        from tracking t join orders o on o.id = t.order_id join kitchen k on k.id = o.kitchen_id
        where t.token_hash = cast(:token_hash as bytea)"""
    )
)
