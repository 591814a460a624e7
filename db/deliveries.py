"""Deliveries, offers and assignments: the tables, and every statement that reads them.

`db.delivery_moves` and `db.offer_moves` move them: the order's row is locked first, then the delivery, then the rest.
"""

from __future__ import annotations

from sqlalchemy import Text, literal_column, or_, select, text
from sqlalchemy.sql import ColumnElement

from db.metadata import ID, as_json, given, table
from db.scope import within
from db.statement import Statement

deliveries = table(
    "delivery",
    ids="id order_id kitchen_id customer_id rider_id",
    texts="order_code region rider_name visible_rider_name status reason pickup_name currency",
    floats="pickup_lat pickup_lon drop_lat drop_lon",
    integers="distance_metres",
    bigints="cash_due_minor fee_minor version",
    times="created_at assigned_at at_kitchen_at picked_up_at at_door_at delivered_at ended_at archived_at",
)
assignments = table("assignment", ids="id delivery_id rider_id", times="assigned_at ended_at", texts="reason")
offers = table(
    "offer",
    ids="id delivery_id order_id kitchen_id rider_id",
    texts="order_code region state reason currency pickup_name",
    floats="pickup_lat pickup_lon drop_lat drop_lon",
    integers="distance_metres approach_metres",
    bigints="fee_minor version",
    times="ready_expected_at created_at expires_at answered_at",
)

MINE = within(
    kitchen=deliveries.c.kitchen_id,
    region=deliveries.c.region,
    owners=(deliveries.c.customer_id, deliveries.c.rider_id),
)

# primary key
DELIVERY_ROW = Statement(select(as_json(deliveries)).where(deliveries.c.id == given("delivery_id", ID), MINE))
# primary key
OFFER_ROW = Statement(
    select(as_json(offers)).where(offers.c.id == given("offer_id", ID), offers.c.rider_id == given("rider_id", ID))
)


def _optional(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    return or_(given(name, Text).is_(None), column == given(name, Text))


# primary key backwards (uuid7 follows time), filtered
DELIVERY_PAGE = Statement(
    select(as_json(deliveries))
    .where(
        MINE,
        _optional(deliveries.c.status, "status"),
        or_(given("after", ID).is_(None), deliveries.c.id < given("after", ID)),
    )
    .order_by(deliveries.c.id.desc())
    .limit(literal_column("201"))
)
# What a dispatcher must place now: deliveries of a region that wait, soonest ready first. `taboo`: riders who said no
# lately, or are kept apart from the customer. Indexes delivery_region_open, block_pair_customer.
WAITING = Statement(
    text(
        """select d.id::text, d.kitchen_id::text, d.pickup_lat, d.pickup_lon, d.drop_lat, d.drop_lon,
            o.ready_expected_at, o.status,
            extract(epoch from o.ready_expected_at - product_now())::float8 as ready_in_seconds,
            array(select rider_id::text from offer where delivery_id = d.id and state in ('declined', 'expired')
                and answered_at > product_now() - interval '5 minutes'
                union all select split_part(subject, ' ', 1) from block
                where kind = 'pair' and split_part(subject, ' ', 2) = d.customer_id::text and lifted_at is null
                    and expires_at > clock_timestamp()) as taboo
        from delivery d join orders o on o.id = d.order_id
        where d.region = cast(:region as text) and d.archived_at is null and d.status = 'waiting'
            and o.status in ('accepted', 'preparing', 'ready')
        order by o.ready_expected_at limit 500"""
    )
)
