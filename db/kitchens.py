"""Kitchens, brands, stations and items: the tables, and every statement that reads or changes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, Text, func, literal_column, null, or_, select, text, update

from db.context import acting, happens
from db.idempotency import remembering
from db.metadata import ID, as_json, given, one_of, product_now, table
from db.orders import every_row, orders
from db.scope import within
from db.statement import Statement
from hub.domain.order import OrderStatus

kitchens = table(
    "kitchen",
    ids="id",
    texts="region code name time_zone currency",
    floats="lat lon",
    booleans="is_open auto_accept",
    integers="capacity_orders accept_seconds",
    times="paused_until",
    bigints="version",
)
brands = table("brand", ids="id kitchen_id", texts="name", bigints="version")
stations = table("station", ids="id kitchen_id", texts="code name", integers="position", bigints="version")
items = table(
    "item",
    ids="id kitchen_id brand_id station_id",
    texts="brand_name name currency",
    bigints="price_minor version",
    integers="prep_seconds portions_left",
    arrays="allergens",
    booleans="is_available",
)
# From the order's coming until it has left: somebody in the kitchen must see it.
IN_HAND = (OrderStatus.PLACED, OrderStatus.ACCEPTED, OrderStatus.PREPARING, OrderStatus.READY)
MINE = within(kitchen=kitchens.c.id, region=kitchens.c.region)


VERSION = given("version", BigInteger)


def _change(**values: Any) -> Statement:
    change = update(kitchens).where(
        kitchens.c.id == given("kitchen_id", ID),
        or_(VERSION.is_(None), kitchens.c.version == VERSION),
        MINE,
        happens(acting()),
    )
    moved = change.values(**values).returning(kitchens).cte("moved")
    return Statement(select(as_json(moved)).select_from(moved).add_cte(remembering(moved, as_json(moved))))


def _availability(*, is_available: bool) -> Statement:
    change = update(items).where(
        items.c.id == given("item_id", ID),
        items.c.kitchen_id == given("kitchen_id", ID),
        items.c.kitchen_id == kitchens.c.id,
        items.c.is_available != is_available,
        or_(VERSION.is_(None), items.c.version == VERSION),
        MINE,
        happens(acting()),
    )
    moved = change.values(is_available=is_available).returning(items).cte("moved")
    return Statement(select(as_json(moved)).select_from(moved).add_cte(remembering(moved, as_json(moved))))


# primary key
PAUSE = _change(paused_until=product_now() + literal_column("interval '1 minute'") * given("minutes", Integer))
RESUME = _change(paused_until=null())
# primary keys
ITEM_86 = _availability(is_available=False)
ITEM_BACK = _availability(is_available=True)
ITEM_ROW = Statement(
    select(as_json(items)).where(
        items.c.id == given("item_id", ID),
        items.c.kitchen_id == kitchens.c.id,
        kitchens.c.id == given("kitchen_id", ID),
        MINE,
    )
)
KITCHEN_ROW = Statement(select(as_json(kitchens)).where(kitchens.c.id == given("kitchen_id", ID), MINE))
# a few hundred rows at most: a whole city
KITCHEN_LIST = Statement(
    select(as_json(kitchens))
    .where(or_(given("region", Text).is_(None), kitchens.c.region == given("region", Text)))
    .order_by(kitchens.c.region, kitchens.c.code)
    .limit(literal_column("1000"))
)
# primary key; item_kitchen, brand_name
MENU = Statement(
    select(
        as_json(kitchens).label("kitchen"),
        select(every_row("brand", order_by="name"))
        .where(brands.c.kitchen_id == kitchens.c.id)
        .scalar_subquery()
        .label("brands"),
        select(every_row("item", order_by="name"))
        .where(items.c.kitchen_id == kitchens.c.id)
        .scalar_subquery()
        .label("items"),
    ).where(kitchens.c.id == given("kitchen_id", ID))
)
# index orders_kitchen_open
WITH_ORDERS_IN_HAND = Statement(
    select(orders.c.kitchen_id).where(orders.c.archived_at.is_(None), one_of(orders.c.status, IN_HAND)).distinct()
)
PLACE_OF_KITCHEN = Statement(select(kitchens.c.region).where(kitchens.c.id == given("kitchen_id", ID)))
CLOCK = Statement(
    select(product_now().label("at"), literal_column("rate"), func.clock_timestamp().label("real")).select_from(
        text("product_clock")
    )
)
