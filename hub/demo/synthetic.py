"""A seeded generator of service days with the statistics of published ones.

Shapes after the public meal delivery instances (Reyes et al. 2018): a lunch and a dinner peak, kitchens in clusters
about 200 m from the next one, a few kitchens with most of the orders, doors about 2.2 km away (Rayleigh), preparation
around 15 minutes (log-normal, 10 %: 5, 90 %: 30), shifts of two or three hours that follow the demand. No line of
their data is in here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate
from math import cos, exp, log, pi, sin

from hub.demo.day import Day, DayCourier, DayItem, DayKitchen, DayLine, DayOrder, DayTerms
from hub.demo.dishes import BRANDS, NOTES, OPTIONS, SITES

# Share of the day's orders by hour, from opening on.
DEMAND_BY_HOUR = (2.5, 5.0, 5.5, 7.5, 6.0, 3.5, 2.5, 5.0, 14.0, 19.5, 17.0, 8.5, 3.0, 0.5)
HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What kind of day is wanted. `is_steady`: the same demand all day and every courier on shift, for the demo."""

    name: str = "synthetic"
    kitchens: int = 93
    couriers: int = 61
    orders: int = 252
    hours: float = 13.2
    brands_per_kitchen: int = 1
    spread_metres: float = 2000.0
    door_metres: float = 1850.0
    prep_minutes_median: float = 14.0
    is_steady: bool = False


DEMO_TOWN = Shape(
    name="demo",
    kitchens=4,
    couriers=24,
    orders=480,
    hours=8.0,
    brands_per_kitchen=2,
    spread_metres=700.0,
    door_metres=750.0,
    is_steady=True,
)


def synthetic_day(seed: int, shape: Shape) -> Day:
    """A day of this shape; the same seed and shape give the same day."""
    chance = random.Random(f"{shape.name}/{seed}")
    kitchens = _kitchens(chance, shape)
    orders = _orders(chance, shape, kitchens)
    couriers = _couriers(chance, shape)
    terms = DayTerms(name=f"{shape.name}-{seed}")
    return Day(terms=terms, kitchens=kitchens, couriers=couriers, orders=orders)


def _kitchens(chance: random.Random, shape: Shape) -> tuple[DayKitchen, ...]:
    clusters = [
        (chance.gauss(0, shape.spread_metres), chance.gauss(0, shape.spread_metres))
        for _ in range(max(1, min(shape.kitchens, round(shape.kitchens / 9) + 2)))
    ]
    kitchens = []
    for number in range(shape.kitchens):
        x_centre, y_centre = clusters[number % len(clusters)]
        site = SITES[number % len(SITES)] + (f" {number // len(SITES) + 1}" if number >= len(SITES) else "")
        kitchens.append(
            DayKitchen(
                key=f"k{number + 1}",
                name=f"{site} Kitchens",
                x_metres=round(chance.gauss(x_centre, shape.spread_metres / 7), 1),
                y_metres=round(chance.gauss(y_centre, shape.spread_metres / 7), 1),
                items=_menu(chance, number, shape),
            )
        )
    return tuple(kitchens)


def _menu(chance: random.Random, number: int, shape: Shape) -> tuple[DayItem, ...]:
    """The dishes of the kitchen's brands; neighbours have different ones."""
    names = list(BRANDS)
    wanted = [
        names[(number * shape.brands_per_kitchen + turn) % len(names)] for turn in range(shape.brands_per_kitchen)
    ]
    dishes = [(brand, dish) for brand in wanted for dish in BRANDS[brand]]
    return tuple(
        DayItem(
            key=f"i{place + 1}",
            name=dish.name,
            brand=brand,
            station=dish.station,
            price_minor=dish.price_minor + 10 * chance.randint(-4, 4),
            prep_seconds=60 * dish.prep_minutes,
            allergens=dish.allergens,
        )
        for place, (brand, dish) in enumerate(dishes)
    )


def _orders(chance: random.Random, shape: Shape, kitchens: tuple[DayKitchen, ...]) -> tuple[DayOrder, ...]:
    popularity = list(accumulate(1 / (rank + 2) ** 0.85 for rank in range(len(kitchens))))
    times = sorted(_moment(chance, shape) for _ in range(shape.orders))
    return tuple(
        _order(chance, shape, number, placed, chance.choices(kitchens, cum_weights=popularity)[0])
        for number, placed in enumerate(times)
    )


def _order(chance: random.Random, shape: Shape, number: int, placed: int, kitchen: DayKitchen) -> DayOrder:
    brand = chance.choice([item.brand for item in kitchen.items])
    dishes = [item for item in kitchen.items if item.brand == brand]
    chosen = chance.sample(dishes, k=min(len(dishes), chance.choices((1, 2, 3), weights=(45, 35, 20))[0]))
    angle, distance = chance.uniform(0, 2 * pi), chance.weibullvariate(shape.door_metres * 2**0.5, 2)
    if shape.is_steady:
        prep_seconds = round(max(item.prep_seconds for item in chosen) * chance.uniform(0.8, 1.3))
    else:
        prep_seconds = 60 * round(min(60.0, max(1.0, exp(chance.gauss(log(shape.prep_minutes_median), 0.6)))))
    return DayOrder(
        key=f"o{number + 1}",
        kitchen=kitchen.key,
        x_metres=round(kitchen.x_metres + distance * cos(angle), 1),
        y_metres=round(kitchen.y_metres + distance * sin(angle), 1),
        placed_seconds=placed,
        ready_seconds=placed + prep_seconds,
        lines=tuple(
            DayLine(
                item=item.key,
                quantity=chance.choices((1, 2, 3), weights=(80, 16, 4))[0],
                options=chance.choice(OPTIONS),
            )
            for item in chosen
        ),
        note=chance.choice(NOTES),
    )


def _moment(chance: random.Random, shape: Shape) -> int:
    """Seconds of the day at which an order is placed."""
    if shape.is_steady:
        return round(chance.uniform(0, shape.hours * HOUR_SECONDS))
    hour = chance.choices(range(len(DEMAND_BY_HOUR)), weights=DEMAND_BY_HOUR)[0]
    moment = (hour + chance.random()) * HOUR_SECONDS * shape.hours / len(DEMAND_BY_HOUR)
    return 60 * round(moment / 60)


def _couriers(chance: random.Random, shape: Shape) -> tuple[DayCourier, ...]:
    """Shifts that begin about forty minutes before the demand that they serve."""
    length = shape.hours * HOUR_SECONDS
    couriers = []
    for number in range(shape.couriers):
        on = 0.0 if shape.is_steady else max(0.0, _moment(chance, shape) - chance.uniform(0.3, 1.5) * HOUR_SECONDS)
        hours = chance.choices((1.5, 2.0, 3.0, 4.0), weights=(12, 28, 50, 10))[0]
        off = length if shape.is_steady else min(length + HOUR_SECONDS, on + hours * HOUR_SECONDS)
        couriers.append(
            DayCourier(
                key=f"c{number + 1}",
                x_metres=round(chance.gauss(0, shape.spread_metres * 1.2), 1),
                y_metres=round(chance.gauss(0, shape.spread_metres * 1.2), 1),
                on_seconds=round(on / 1800) * 1800,
                off_seconds=round(off / 1800) * 1800,
            )
        )
    return tuple(sorted(couriers, key=lambda courier: (courier.on_seconds, int(courier.key[1:]))))
