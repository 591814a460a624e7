"""The cells of the matrix: who asks what of which object, and what the documented table of roles says to that.

What a route takes is read from the page `deploy/roles.md`, which people review, and what a role may do from the table
in `hub.domain.roles`: neither the handlers nor the routes' own declarations are asked.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from db.connection import Database
from hub.domain.roles import EVERYWHERE_ONLY, PERMISSIONS, Grant, Permission, Principal, Role, may
from hub.gateway.endpoint import Route
from tests.properties.world import UNKNOWN, World, make_world

NewPerson = Callable[..., Awaitable[str]]
PAGE = Path(__file__).parents[2] / "deploy" / "roles.md"
ROW = re.compile(r"\| (\w+) `([^`]+)` \| (anybody|somebody signed in|`[\w.-]+`) \|")
PARAMETER = re.compile(r"<(\w+):uuid>")
ANYBODY, SIGNED_IN = "anybody", "somebody signed in"
WHY = {"reason": "because it must be"}
BASKET = {"kitchen_id": "{kitchen_id}", "items": [{"item_id": "{item_id}"}], "drop": {"lat": 19.1, "lon": 72.8}}
# A valid body for each route that needs one; `{…}` is filled with ids of the world.
BODIES: dict[str, Any] = {
    "Pause": {"minutes": 5} | WHY,
    "SoldOut": WHY,
    "Reason": WHY,
    "Decline": WHY,
    "Explained": WHY,
    "Delay": {"minutes": 5} | WHY,
    "Amend": {"note": "no onion"},
    "Rush": {"is_rush": True},
    "Assign": {"rider_id": "{rider_id}"},
    "PickUp": {"code": "K7Q2"},
    "Deliver": {"pin": "0000"} | WHY,
    "Start": {},
    "Activity": {"is_active": True} | WHY,
    "Merge": {"into_id": UNKNOWN} | WHY,
    "SetPassword": {"login": "somebody.new", "password": "correct horse 42 battery"},
    "NewPerson": {"name": "Somebody"},
    "NewGrant": {"person_id": UNKNOWN, "role": "cook", "scope": "*"},
    "NewBlock": {
        "kind": "person", "value": UNKNOWN, "effect": "review", "expires_at": "2027-01-01T00:00:00Z",
    } | WHY,
    "Profile": {},
    "Address": {"label": "Home", "line": "1 Road", "lat": 1.0, "lon": 1.0},
    "TryCode": {"otp_id": UNKNOWN, "code": "000000"},
    "ChangePassword": {"old_password": "x", "password": "correct horse 42 battery"},
    "QuoteBody": BASKET,
    "PlaceBody": BASKET,
    "Positions": {"points": []},
    "NewDevice": {"kitchen_id": "{kitchen_id}", "name": "Tablet"},
    "Pin": {"pin": "000000"},
    "DemoLink": {"link": "x"},
    "RefreshToken": {"refresh_token": "x"},
    "DeviceToken": {"device": "x"},
    "PairingCode": {"code": "000000"},
    "Key": {"key": "hpk_x"},
    "AskCode": {"phone": "+919820012345"},
    "SignInByPassword": {"login": "nobody.here", "password": "x"},
    "PinFor": {"kitchen_id": "{kitchen_id}"},
    "NewKey": {"name": "Key", "scopes": ["*"]},
}  # fmt: skip
# Objects that a body or a query names, and that are refused like unknown ones.
NAMED = {
    ("POST", "/v1/devices"): "kitchen_id",
    ("POST", "/v1/me/pin"): "kitchen_id",
    ("GET", "/v1/devices"): "kitchen_id",
}
# This ends the sign-in that asks.
LAST = "/v1/auth/logout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One question: may this principal ask this of that object? `who` None is nobody, `world` None: it is unknown."""

    who: Principal | None
    route: Route
    world: World | None

    @property
    def names(self) -> list[str]:
        """The ids that the request names, the outermost first."""
        named = NAMED.get((self.route.method, self.route.path))
        return PARAMETER.findall(self.route.path) or ([named] if named else [])

    @property
    def key(self) -> str:
        """What the answers to an unknown and to a foreign object share."""
        return f"{self.route.method} {self.route.path}"

    def __str__(self) -> str:
        where = self.world.region if self.world else "nowhere"
        grants = ", ".join(f"{grant.role} {grant.scope[:14]}" for grant in self.who.grants) if self.who else "nobody"
        return f"{grants or 'without a role'}: {self.key} in the {where}"


def documented() -> dict[tuple[str, str], str]:
    """(method, path) -> what the page says it takes: a permission, `anybody`, or `somebody signed in`."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {(method, path): takes.strip("`") for method, path, takes in rows}


def taken_by(route: Route, page: dict[tuple[str, str], str]) -> str:
    """What the page says of a route. Raises `KeyError` for one that it does not know."""
    return page[route.method, PARAMETER.sub(r"{\1}", route.path)]


def is_held(who: Principal, permission: Permission) -> bool:
    """True when the table gives it to one of the principal's roles, in a scope that can hold it."""
    return any(
        permission in PERMISSIONS[grant.role] and (permission not in EVERYWHERE_ONLY or grant.scope == "*")
        for grant in who.grants
    )


def is_inside(cell: Cell, permission: Permission | None) -> bool:
    """True when the object that the cell names is one that the principal's permission covers."""
    if cell.who is None or cell.world is None:
        return False
    if permission is None:
        return True
    if permission in EVERYWHERE_ONLY:
        return is_held(cell.who, permission)
    return may(cell.who, permission, cell.world.place_of(cell.names[0]))


async def make_worlds(database: Database, api: aiohttp.ClientSession, new_person: NewPerson) -> tuple[World, World]:
    """The north and the south."""
    made = []
    for region in ("north", "south"):
        customer_id, rider_id = await new_person(role="customer"), await new_person(role="rider")
        async with database.connection() as conn:
            made.append(await make_world(conn, api, region, customer_id=customer_id, rider_id=rider_id))
    return made[0], made[1]


async def make_principals(new_person: NewPerson, north: World) -> list[Principal]:
    """One for each role and kind of scope, all of the north; and somebody without any role."""
    kitchen, region = f"kitchen:{north.kitchen_id}", "region:north"
    wanted = [(role, scope) for role in Role if role not in ("customer", "rider") for scope in (kitchen, region, "*")]
    people = [
        Principal(person_id=north.customer_id, grants=(Grant(role=Role.CUSTOMER, scope="own"),)),
        Principal(person_id=north.rider_id, grants=(Grant(role=Role.RIDER, scope="own"),)),
        Principal(person_id=await new_person()),
    ]
    for role, scope in [*wanted, (Role.CUSTOMER, "own"), (Role.RIDER, "own")]:
        person_id = await new_person(role=role.value, scope=scope)
        people.append(Principal(person_id=person_id, grants=(Grant(role=role, scope=scope),)))
    return people


def cells_of(routes: list[Route], who: Principal | None, worlds: tuple[World, World]) -> Iterator[Cell]:
    """Every route, asked by one principal of both worlds' objects and of unknown ones; signing out comes last."""
    for route in sorted(routes, key=lambda route: route.path == LAST):
        names = Cell(who=who, route=route, world=None).names
        for world in (None, *worlds) if names else (worlds[0],):
            yield Cell(who=who, route=route, world=world)


def request_of(cell: Cell, ids: dict[str, str]) -> dict[str, Any]:
    """The request of a cell; `ids` are those of its objects, unknown ones where there is no world."""

    def filled(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("{"):
            return ids.get(value.strip("{}"), UNKNOWN)
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        return [filled(inner) for inner in value] if isinstance(value, list) else value

    kind = cell.route.body.__name__ if cell.route.body else ""
    body = None if cell.route.body is None else filled(BODIES.get(kind, {}))
    path = PARAMETER.sub(lambda found: ids.get(found[1], UNKNOWN), cell.route.path)
    is_asked_by_query = cell.route.method == "GET" and cell.names and not PARAMETER.search(cell.route.path)
    query = {cell.names[0]: ids.get(cell.names[0], UNKNOWN)} if is_asked_by_query else None
    return {"method": cell.route.method, "url": path, "json": body, "params": query}
