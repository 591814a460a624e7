"""Riders and their shifts: the tables, and every statement that reads or moves them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Float, Text, func, literal_column, or_, select, text, update

from db.context import acting, happens
from db.idempotency import remembering
from db.metadata import ID, TIME, as_json, given, one_of, table
from db.scope import within
from db.statement import Statement
from hub.domain.delivery import SHIFT, ShiftState

riders = table(
    "rider",
    ids="id",
    texts="region name vehicle shift",
    integers="capacity_orders",
    floats="home_lat home_lon",
    times="shift_started_at shift_ends_at",
    bigints="version",
)
# A rider belongs to no kitchen: the id can never equal one.
MINE = within(kitchen=literal_column("null::uuid"), region=riders.c.region, owners=(riders.c.id,))


def _shift(name: str, target: ShiftState, **values: Any) -> Statement:
    sources = tuple(source for move in SHIFT.named(name) for source in move.sources)
    change = update(riders).where(
        riders.c.id == given("rider_id", ID),
        one_of(riders.c.shift, sources),
        or_(given("version", BigInteger).is_(None), riders.c.version == given("version", BigInteger)),
        MINE,
        happens(acting()),
    )
    moved = change.values(shift=target, **values).returning(riders).cte("moved")
    return Statement(select(as_json(moved)).select_from(moved).add_cte(remembering(moved, as_json(moved))))


# primary key
MOVES: dict[str, Statement] = {
    "start": _shift(
        "start",
        ShiftState.ON,
        home_lat=func.coalesce(given("lat", Float(53)), riders.c.home_lat),
        home_lon=func.coalesce(given("lon", Float(53)), riders.c.home_lon),
        shift_ends_at=given("ends_at", TIME),
    ),
    "break": _shift("break", ShiftState.BREAK),
    "end": _shift("end", ShiftState.OFF),
}
# primary key
RIDER_ROW = Statement(select(as_json(riders)).where(riders.c.id == given("rider_id", ID), MINE))
# rider_region
RIDER_LIST = Statement(
    select(as_json(riders))
    .where(MINE, or_(given("region", Text).is_(None), riders.c.region == given("region", Text)))
    .order_by(riders.c.id)
    .limit(literal_column("1000"))
)
# Riders who are idle: on shift, nothing to carry, no live offer.
# Indexes rider_region, delivery_rider_open, offer_rider_live.
FREE = Statement(
    text(
        """select r.id::text, r.name, r.home_lat, r.home_lon, r.capacity_orders
        from rider r
        where r.region = cast(:region as text) and r.shift = 'on'
            and (r.shift_ends_at is null or r.shift_ends_at > product_now())
            and not exists (select from offer where rider_id = r.id and state = 'live')
            and not exists (select from delivery where rider_id = r.id and archived_at is null
                and status in ('assigned', 'at_kitchen', 'picked_up', 'at_door', 'failed', 'returning'))
        order by r.id"""
    )
)
# Which orders each rider carries to the door, for the rider's dot on the customer's page. Index delivery_region_open.
CARRYING = Statement(
    text(
        """select rider_id::text, order_id::text from delivery
        where archived_at is null and status in ('picked_up', 'at_door')"""
    )
)
# rider_pk
ON_SHIFT = Statement(
    select(riders.c.region).where(riders.c.id == given("rider_id", ID), riders.c.shift == ShiftState.ON)
)
REGIONS = Statement(text("select distinct region from kitchen order by region"))
# rider_pk
PLACE_OF_RIDER = Statement(select(riders.c.region).where(riders.c.id == given("rider_id", ID)))
# A rider begins at the middle of the region's kitchens; no row when the region has none.
ADD_RIDER = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting)
        insert into rider (id, region, name, home_lat, home_lon)
        select cast(:rider_id as uuid), k.region, cast(:name as text), avg(k.lat), avg(k.lon) from kitchen k, acting
        where k.region = cast(:region as text) and acting.setting is not null group by k.region"""
    )
)
