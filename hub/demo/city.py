"""What must exist before a day can be lived: kitchens with menus, people with grants, riders; as rows for the seeder.

Ids are derived from the seed, so that the same city has the same ids on every machine; they have the form of a uuid7.
The SQL lives in `db`: `as_rows` names tables and columns only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

# A fixed moment (2026-01-01, in milliseconds) for the time part of derived ids: they sort before everything real.
FOUNDED_MILLISECONDS = 1_767_225_600_000


def derived_id(*parts: object) -> str:
    """An id of the uuid7 form that depends on nothing but its parts."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()
    moment = FOUNDED_MILLISECONDS + int.from_bytes(digest[:2], "big")
    value = (moment << 80) | (0x7 << 76) | (int.from_bytes(digest[2:4], "big") & 0xFFF) << 64
    value |= (0b10 << 62) | (int.from_bytes(digest[4:12], "big") & ((1 << 62) - 1))
    return str(UUID(int=value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """A row of `kitchen`; `key` is the day's name for it."""

    key: str
    id: str
    region: str
    code: str
    name: str
    lat: float
    lon: float
    time_zone: str
    currency: str
    capacity_orders: int
    accept_seconds: int
    is_open: bool = True
    auto_accept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """A row of `brand`."""

    id: str
    kitchen_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A row of `station`."""

    id: str
    kitchen_id: str
    code: str
    name: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A row of `item`; `key` is the day's name for it."""

    key: str
    id: str
    kitchen_id: str
    brand_id: str
    brand_name: str
    station_id: str
    name: str
    price_minor: int
    currency: str
    prep_seconds: int
    allergens: tuple[str, ...]
    is_available: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A row of `person`; `duty` is what the demo wants of the person, a role's name."""

    id: str
    name: str
    duty: str
    locale: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrant:
    """A row of `role_grant`."""

    id: str
    person_id: str
    role: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rider:
    """A row of `rider`; `key` is the day's name for the courier, `id` that of the person."""

    key: str
    id: str
    region: str
    name: str
    vehicle: str
    capacity_orders: int
    home_lat: float
    home_lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Everything that a day needs, and the place of its plane on the globe."""

    region: str
    centre_lat: float
    centre_lon: float
    kitchens: tuple[Kitchen, ...]
    brands: tuple[Brand, ...]
    stations: tuple[Station, ...]
    items: tuple[Item, ...]
    people: tuple[Person, ...]
    grants: tuple[RoleGrant, ...]
    riders: tuple[Rider, ...]

    def on_duty(self, duty: str) -> tuple[Person, ...]:
        """The people of one duty, in the order in which they were founded."""
        return tuple(person for person in self.people if person.duty == duty)

    def kitchens_of(self, person_id: str) -> tuple[str, ...]:
        """Ids of the kitchens that a person's grants name."""
        scopes = (grant.scope for grant in self.grants if grant.person_id == person_id)
        named = (scope.removeprefix("kitchen:") for scope in scopes if scope.startswith("kitchen:"))
        return tuple(dict.fromkeys(named))

    def as_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Table → rows of columns, in an order that respects the foreign keys. The trigger sets `version`."""
        tables = {
            "kitchen": self.kitchens,
            "brand": self.brands,
            "station": self.stations,
            "item": self.items,
            "person": self.people,
            "role_grant": self.grants,
            "rider": self.riders,
        }
        return {table: [_columns(row) for row in rows] for table, rows in tables.items()}


def _columns(row: Any) -> dict[str, Any]:
    columns = {name: value for name, value in asdict(row).items() if name not in ("key", "duty")}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()}
