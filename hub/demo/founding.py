"""The city that a day needs: every kitchen with its menu, cooks, an expediter, riders, customers, a manager.

In a city of few kitchens each has its own cook and expediter; in a large one (a recorded day has about a hundred) one
expediter runs a round of kitchens over one socket, which keeps a replay light.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from hub.demo.city import Brand, City, Item, Kitchen, Person, Rider, RoleGrant, Station, derived_id
from hub.demo.day import Day, DayKitchen
from hub.demo.dishes import FIRST_NAMES, LAST_NAMES, STATIONS, VEHICLES
from hub.domain.geo import project
from hub.domain.roles import EVERYWHERE, OWN, Role

MOST_OWN_STAFF = 8
KITCHENS_OF_A_ROUND = 16
MOST_CUSTOMERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where on the globe a plane day is laid, and how the city's kitchens and riders are set up."""

    region: str = "demo"
    centre_lat: float = 52.5200
    centre_lon: float = 13.4050
    time_zone: str = "Europe/Berlin"
    currency: str = "EUR"
    kitchen_capacity_orders: int = 200
    accept_seconds: int = 300
    rider_capacity_orders: int = 3


@dataclass(slots=True)
class _Registry:
    """People and grants while a city is being founded."""

    seed: str
    people: list[Person] = field(default_factory=list)
    grants: list[RoleGrant] = field(default_factory=list)

    def hire(self, name: str, duty: Role, *scopes: str) -> Person:
        person = Person(id=derived_id(self.seed, "person", duty, len(self.people)), name=name, duty=str(duty))
        self.people.append(person)
        for scope in scopes:
            key = derived_id(self.seed, "grant", person.id, scope)
            self.grants.append(RoleGrant(id=key, person_id=person.id, role=str(duty), scope=scope))
        return person


def found_city(day: Day, *, site: Site | None = None, seed: int = 0) -> City:
    """The city of a day; the same day, site and seed give the same rows."""
    place = site or Site()
    name = f"{day.terms.name}/{place.region}/{seed}"
    kitchens = tuple(_kitchen(name, place, number, kitchen) for number, kitchen in enumerate(day.kitchens))
    menus = [_menu(name, place, row, kitchen) for row, kitchen in zip(kitchens, day.kitchens, strict=True)]
    registry = _Registry(name)
    names = _names(random.Random(name))
    _hire_staff(registry, place, kitchens, names)
    riders = _hire_riders(registry, place, day, names)
    for _ in range(min(len(day.orders), MOST_CUSTOMERS)):
        registry.hire(next(names), Role.CUSTOMER, OWN)
    return City(
        region=place.region,
        centre_lat=place.centre_lat,
        centre_lon=place.centre_lon,
        kitchens=kitchens,
        brands=tuple(brand for brands, _, _ in menus for brand in brands),
        stations=tuple(station for _, stations, _ in menus for station in stations),
        items=tuple(item for _, _, items in menus for item in items),
        people=tuple(registry.people),
        grants=tuple(registry.grants),
        riders=riders,
    )


def _kitchen(seed: str, site: Site, number: int, kitchen: DayKitchen) -> Kitchen:
    lat, lon = project(kitchen.x_metres, kitchen.y_metres, centre_lat=site.centre_lat, centre_lon=site.centre_lon)
    return Kitchen(
        key=kitchen.key,
        id=derived_id(seed, "kitchen", kitchen.key),
        region=site.region,
        code=f"K{number + 1:02d}",
        name=kitchen.name,
        lat=lat,
        lon=lon,
        time_zone=site.time_zone,
        currency=site.currency,
        capacity_orders=site.kitchen_capacity_orders,
        accept_seconds=site.accept_seconds,
    )


def _menu(seed: str, site: Site, row: Kitchen, kitchen: DayKitchen) -> tuple[list[Brand], list[Station], list[Item]]:
    brand_ids = {item.brand: derived_id(seed, "brand", row.id, item.brand) for item in kitchen.items}
    station_ids = {item.station: derived_id(seed, "station", row.id, item.station) for item in kitchen.items}
    brands = [Brand(id=key, kitchen_id=row.id, name=name) for name, key in brand_ids.items()]
    stations = [
        Station(id=key, kitchen_id=row.id, code=_code(name), name=STATIONS.get(name, name.title()), position=position)
        for position, (name, key) in enumerate(station_ids.items())
    ]
    items = [
        Item(
            key=item.key,
            id=derived_id(seed, "item", row.id, item.key),
            kitchen_id=row.id,
            brand_id=brand_ids[item.brand],
            brand_name=item.brand,
            station_id=station_ids[item.station],
            name=item.name,
            price_minor=item.price_minor,
            currency=site.currency,
            prep_seconds=item.prep_seconds,
            allergens=item.allergens,
        )
        for item in kitchen.items
    ]
    return brands, stations, items


def _hire_staff(registry: _Registry, site: Site, kitchens: tuple[Kitchen, ...], names: Names) -> None:
    registry.hire(next(names), Role.ADMINISTRATOR, EVERYWHERE)
    registry.hire(next(names), Role.MANAGER, f"region:{site.region}")
    registry.hire(next(names), Role.DISPATCHER, f"region:{site.region}")
    if len(kitchens) <= MOST_OWN_STAFF:
        for kitchen in kitchens:
            registry.hire(next(names), Role.COOK, f"kitchen:{kitchen.id}")
            registry.hire(next(names), Role.EXPEDITER, f"kitchen:{kitchen.id}")
        return
    for start in range(0, len(kitchens), KITCHENS_OF_A_ROUND):
        scopes = [f"kitchen:{kitchen.id}" for kitchen in kitchens[start : start + KITCHENS_OF_A_ROUND]]
        registry.hire(next(names), Role.EXPEDITER, *scopes)


def _hire_riders(registry: _Registry, site: Site, day: Day, names: Names) -> tuple[Rider, ...]:
    riders = []
    for number, courier in enumerate(day.couriers):
        person = registry.hire(next(names), Role.RIDER, OWN)
        lat, lon = project(courier.x_metres, courier.y_metres, centre_lat=site.centre_lat, centre_lon=site.centre_lon)
        rider = Rider(
            key=courier.key,
            id=person.id,
            region=site.region,
            name=person.name,
            vehicle=VEHICLES[number % len(VEHICLES)],
            capacity_orders=site.rider_capacity_orders,
            home_lat=lat,
            home_lon=lon,
        )
        riders.append(rider)
    return tuple(riders)


class Names:
    """An endless supply of people's names, each once as long as there are combinations."""

    def __init__(self, chance: random.Random) -> None:
        self._all = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
        chance.shuffle(self._all)
        self._given = 0

    def __next__(self) -> str:
        turn, place = divmod(self._given, len(self._all))
        self._given += 1
        return self._all[place] + (f" {turn + 1}" if turn else "")


def _names(chance: random.Random) -> Names:
    return Names(chance)


def _code(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "line"
