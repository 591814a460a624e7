"""What a rider does next, as a pure function of what the rider's own topic shows.

food in the bag, no more to fetch ─► nearest door: go, ring, hand over
something to fetch, bag empty      ─► the kitchen of the oldest assignment: go, wait, take all that is ready
both                               ─► wait at the counter for what is due soon, else carry what is in the bag
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.client.fold import Row
from hub.domain.geo import distance_metres

# How long a rider with food in the bag waits for another order of the same kitchen.
PATIENCE_AT_COUNTER_MINUTES = 6.0


class ErrandKind(StrEnum):
    """The kinds of errand."""

    FETCH = "fetch"
    TAKE = "take"
    WAIT = "wait"
    CARRY = "carry"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One errand: for a delivery, at a place."""

    kind: ErrandKind
    delivery: Row
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """Where the rider is, and when."""

    lat: float
    lon: float
    now: datetime


def next_errand(deliveries: list[Row], orders: list[Row], at: Standpoint) -> Errand | None:
    """The next errand, or None when there is nothing to do."""
    at_door = [one for one in deliveries if one["status"] == "at_door"]
    if at_door:
        return _at_drop(ErrandKind.HAND_OVER, at_door[0])
    bag = [one for one in deliveries if one["status"] == "picked_up"]
    to_fetch = sorted(
        (one for one in deliveries if one["status"] in ("assigned", "at_kitchen")),
        key=lambda one: (one.get("assigned_at") or "", one["id"]),
    )
    here = [one for one in to_fetch if one["status"] == "at_kitchen"]
    ready = {order["id"]: order for order in orders if order["status"] == "ready"}
    for one in here:
        if one["order_id"] in ready:
            return _at_kitchen(ErrandKind.TAKE, one)
    if bag and not (here and _is_due_soon(here, orders, at.now)):
        nearest = min(bag, key=lambda one: distance_metres(at.lat, at.lon, one["drop_lat"], one["drop_lon"]))
        return _at_drop(ErrandKind.CARRY, nearest)
    if not to_fetch:
        return None
    kitchen_id = (here or to_fetch)[0]["kitchen_id"]
    for one in to_fetch:
        if one["kitchen_id"] == kitchen_id and one["status"] == "assigned":
            return _at_kitchen(ErrandKind.FETCH, one)
    return _at_kitchen(ErrandKind.WAIT, here[0])


def _is_due_soon(here: list[Row], orders: list[Row], now: datetime) -> bool:
    due = {order["id"]: order.get("ready_expected_at") for order in orders}
    latest = now + timedelta(minutes=PATIENCE_AT_COUNTER_MINUTES)
    moments = (due.get(one["order_id"]) for one in here)
    return any(moment is not None and datetime.fromisoformat(moment) <= latest for moment in moments)


def _at_kitchen(kind: ErrandKind, delivery: Row) -> Errand:
    return Errand(kind=kind, delivery=delivery, lat=delivery["pickup_lat"], lon=delivery["pickup_lon"])


def _at_drop(kind: ErrandKind, delivery: Row) -> Errand:
    return Errand(kind=kind, delivery=delivery, lat=delivery["drop_lat"], lon=delivery["drop_lon"])
