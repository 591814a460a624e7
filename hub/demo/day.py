"""One service day: kitchens, couriers, orders, and the terms of carrying, in metres and seconds since the day's start.

A day knows nothing of ids, tokens or the globe: `hub.demo.founding` makes a city of it. Everything is frozen, so a day
may be shared by all actors.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, dist

import msgspec


class DayItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One dish of a kitchen's menu."""

    key: str
    name: str
    brand: str
    station: str
    price_minor: int
    prep_seconds: int
    allergens: tuple[str, ...] = ()


class DayKitchen(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="kitchen"
):
    """One kitchen and its menu."""

    key: str
    name: str
    x_metres: float
    y_metres: float
    items: tuple[DayItem, ...]


class DayCourier(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="courier"
):
    """One courier: where the shift begins, and when it begins and ends."""

    key: str
    x_metres: float
    y_metres: float
    on_seconds: int
    off_seconds: int


class DayLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of an order; `item` is a key of the kitchen's menu."""

    item: str
    quantity: int = 1
    options: str = ""


class DayOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="order"):
    """One order: where it goes, when it is placed, and when the kitchen has it ready."""

    key: str
    kitchen: str
    x_metres: float
    y_metres: float
    placed_seconds: int
    ready_seconds: int
    lines: tuple[DayLine, ...]
    note: str = ""


class DayTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="day"):
    """The terms of the day: how fast couriers travel, and how long they need at a kitchen and at a door."""

    name: str
    format_version: int = 1
    metres_per_minute: float = 320.0
    pickup_minutes: float = 4.0
    dropoff_minutes: float = 4.0
    target_minutes: float = 40.0
    maximum_minutes: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A whole day; orders and couriers are sorted by time."""

    terms: DayTerms
    kitchens: tuple[DayKitchen, ...]
    couriers: tuple[DayCourier, ...]
    orders: tuple[DayOrder, ...]

    @property
    def length_seconds(self) -> int:
        """From the start until the last shift has ended and the last order could have been carried."""
        last_order = max((order.ready_seconds for order in self.orders), default=0)
        last_shift = max((courier.off_seconds for courier in self.couriers), default=0)
        return max(last_order, last_shift) + round(self.terms.maximum_minutes * 60)

    @property
    def lap_seconds(self) -> int:
        """When the orders may begin again, for a day that is lived again and again."""
        return max((order.placed_seconds for order in self.orders), default=0) + 60

    def travel_minutes(self, distance_metres: float) -> int:
        """Whole minutes of travel, rounded up (the rule of the published problem)."""
        return ceil(distance_metres / self.terms.metres_per_minute)

    def floor_minutes(self) -> float:
        """Mean click-to-door that no dispatcher can beat: preparation, travel, half a service at each end."""
        places = {kitchen.key: (kitchen.x_metres, kitchen.y_metres) for kitchen in self.kitchens}
        service = (self.terms.pickup_minutes + self.terms.dropoff_minutes) / 2
        floors = [
            (order.ready_seconds - order.placed_seconds) / 60
            + service
            + self.travel_minutes(dist(places[order.kitchen], (order.x_metres, order.y_metres)))
            for order in self.orders
        ]
        return sum(floors) / len(floors) if floors else 0.0
