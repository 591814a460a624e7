"""Who may do what: every role × every route × every object, the cells made from the code, each one asked over HTTP.

A cell is right when it is refused like an object that does not exist, exactly where the table of roles says so, and
when no text of a world ever reaches somebody of the other one.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from db.connection import Database
from hub.app import NOUNS
from hub.domain.roles import PERMISSIONS, Grant, Permission, Principal, Role, may
from hub.domain.topics import TopicKind, parse_topic
from hub.gateway.access import access_to
from hub.gateway.endpoint import Route
from tests.auth.conftest import bearer, keyed
from tests.properties.world import UNKNOWN, World, make_world

NewPerson = Callable[..., Awaitable[str]]
PARAMETER = re.compile(r"<(\w+):uuid>")
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
        "kind": "person", "value": UNKNOWN, "effect": "review", "expires_at": "2026-12-01T00:00:00Z",
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
    "PinFor": {"kitchen_id": "{kitchen_id}"},
    "NewKey": {"name": "Key", "scopes": ["*"]},
}  # fmt: skip
# What takes a grant everywhere: people live in no kitchen. And so does granting everywhere, as `BODIES` asks for.
EVERYWHERE_ONLY = {Permission.USER_READ, Permission.USER_EDIT, Permission.BLOCK_EDIT, Permission.SECURITY_READ}
EVERYWHERE_ONLY |= {Permission.API_KEY_EDIT, Permission.AUDIT_READ}
# Only a paired tablet, and nobody here is one.
OF_TABLETS = "/v1/devices/switch"
GRANTING = ("POST", "/v1/roles")
PLACED = {"order_id", "line_id", "delivery_id", "offer_id", "rider_id", "kitchen_id"}


LEADERS = frozenset({"manager", "dispatcher", "administrator"})
STAFF = LEADERS | {"cook", "expediter", "integrator"}
READERS = {
    TopicKind.KITCHEN: STAFF,
    TopicKind.ORDER: STAFF,
    TopicKind.OPERATIONS: LEADERS,
    TopicKind.RIDER: LEADERS,
    TopicKind.ADMINISTRATION: frozenset({"administrator"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One question: may this principal ask this of that object? `world` None: the object is unknown."""

    who: Principal
    route: Route
    world: World | None

    def __str__(self) -> str:
        where = self.world.region if self.world else "nowhere"
        grants = ", ".join(f"{grant.role} {grant.scope[:14]}" for grant in self.who.grants) or "nobody"
        return f"{grants}: {self.route.method} {self.route.path} in the {where}"


@dataclass(slots=True)
class Tally:
    """What was asked, and what was wrong."""

    cells: int = 0
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def routes() -> list[Route]:
    """Every route that the hub serves."""
    return [route for noun in NOUNS for route in noun.routes]


async def make_worlds(database: Database, api: aiohttp.ClientSession, new_person: NewPerson) -> tuple[World, World]:
    made = []
    for region in ("north", "south"):
        customer_id = await new_person(role="customer")
        rider_id = await new_person(role="rider")
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


def cells_of(routes: list[Route], who: Principal, worlds: tuple[World, World]) -> Iterator[Cell]:
    for route in routes:
        if route.is_public or route.path.startswith("/v1/auth/"):
            continue
        for world in (*worlds, None) if PARAMETER.search(route.path) else (worlds[0],):
            yield Cell(who=who, route=route, world=world)


def request_of(cell: Cell) -> dict[str, Any]:
    def id_of(name: str) -> str:
        return str(getattr(cell.world, name, UNKNOWN)) if cell.world else UNKNOWN

    def filled(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("{"):
            return id_of(value.strip("{}"))
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        return [filled(inner) for inner in value] if isinstance(value, list) else value

    kind = cell.route.body.__name__ if cell.route.body else ""
    body = None if cell.route.body is None else filled(BODIES.get(kind, {}))
    path = PARAMETER.sub(lambda found: id_of(found[1]), cell.route.path)
    return {"method": cell.route.method, "url": path, "json": body, "headers": bearer(cell.who.person_id) | keyed()}


def is_expected(cell: Cell) -> bool:
    """What the table of roles says; for an object without a place, whether some grant has the permission."""
    permission = cell.route.permission
    if permission is None:
        return cell.route.path != OF_TABLETS
    holding = [grant for grant in cell.who.grants if permission in PERMISSIONS[grant.role]]
    if permission in EVERYWHERE_ONLY or (cell.route.method, cell.route.path) == GRANTING:
        return any(grant.scope == "*" for grant in holding)
    names = set(PARAMETER.findall(cell.route.path)) & PLACED
    if not names:
        return bool(holding)
    if cell.world is None:
        return False
    return may(cell.who, permission, cell.world.place_of(names.pop()))


async def ask(api: aiohttp.ClientSession, cell: Cell) -> tuple[int, dict[str, Any], str]:
    async with api.request(**request_of(cell)) as answer:
        text = await answer.text()
        body = await answer.json(content_type=None)
        return answer.status, {name: value for name, value in body.items() if name != "request_id"}, text


async def ask_all(
    api: aiohttp.ClientSession, routes: list[Route], who: Principal, worlds: tuple[World, World], tally: Tally
) -> None:
    unknown: dict[str, tuple[int, dict[str, Any]]] = {}
    asked = sorted(cells_of(routes, who, worlds), key=lambda cell: cell.world is not None)
    for cell in asked:
        status, body, text = await ask(api, cell)
        tally.cells += 1
        key = f"{cell.route.method} {cell.route.path}"
        if cell.world is None:
            unknown[key] = (status, body)
        tally.wrong += [f"{cell}: {fault}" for fault in faults(cell, status, body, text, unknown.get(key), worlds)]


def faults(
    cell: Cell, status: int, body: dict[str, Any], text: str, unknown: tuple[int, dict[str, Any]] | None,
    worlds: tuple[World, World],
) -> Iterator[str]:  # fmt: skip
    has_place = bool(set(PARAMETER.findall(cell.route.path)) & PLACED)
    holds = cell.route.permission is None or any(
        cell.route.permission in PERMISSIONS[grant.role] for grant in cell.who.grants
    )
    if status >= 500:
        yield f"answered {status}"
    if not holds and status != 403:
        yield f"has not the permission, but was answered {status} {body.get('code')}"
    elif has_place and not is_expected(cell) and holds and (status, body) != unknown:
        yield f"is outside, but was answered {status} {body.get('code')}, unlike an unknown object"
    elif has_place and not is_expected(cell) and holds and status not in (403, 404):
        yield f"is outside, but was answered {status}"
    elif has_place and is_expected(cell) and status in (401, 403, 404, 422):
        yield f"is inside, but was answered {status} {body}"
    elif not has_place and is_expected(cell) and status == 403:
        yield f"is allowed, but was answered {status} {body}"
    elif not has_place and not is_expected(cell) and status != 403:
        yield f"is not allowed, but was answered {status}"
    if not any(grant.scope == "*" for grant in cell.who.grants) and worlds[1].canary in text:
        yield "was told a private text of the other world"


async def test_matrix_of_roles_routes_and_objects(
    hub_database: Database,
    api: aiohttp.ClientSession,
    new_person: NewPerson,
    routes: list[Route],
    capsys: pytest.CaptureFixture[str],
) -> None:
    worlds = await make_worlds(hub_database, api, new_person)
    people = await make_principals(new_person, worlds[0])
    tally = Tally()
    waiting = asyncio.Semaphore(4)

    async def one(who: Principal) -> None:
        async with waiting:
            await ask_all(api, routes, who, worlds, tally)

    await asyncio.gather(*(one(who) for who in people))
    with capsys.disabled():
        sys.stdout.write(f"\nmatrix: {tally.cells} cells over HTTP, {len(tally.wrong)} leaks or wrong refusals\n")
    expected = sum(1 for who in people for _ in cells_of(routes, who, worlds))
    assert tally.cells == expected
    assert tally.wrong == []


async def test_matrix_of_roles_and_topics(
    hub_database: Database, api: aiohttp.ClientSession, new_person: NewPerson, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hub_database.connection() as conn:
        await conn.execute("update kitchen set code = code || id")
    worlds = await make_worlds(hub_database, api, new_person)
    cells, wrong = 0, []
    for who in await make_principals(new_person, worlds[0]):
        for kind in TopicKind:
            for world in (*worlds, None):
                name = topic_name(kind, world, who)
                topic = parse_topic(name)
                assert topic is not None, name
                is_open = (await access_to(hub_database, topic, who)).is_open_to(who)
                cells += 1
                if is_open != may_follow(kind, world, who):
                    wrong.append(f"{[(grant.role, grant.scope) for grant in who.grants]} {name}: open is {is_open}")
    with capsys.disabled():
        sys.stdout.write(f"\nmatrix: {cells} cells of topics, {len(wrong)} leaks or wrong refusals\n")
    assert wrong == []


def topic_name(kind: TopicKind, world: World | None, who: Principal) -> str:
    keys = {
        TopicKind.KITCHEN: world.kitchen_id if world else UNKNOWN,
        TopicKind.MENU: world.kitchen_id if world else UNKNOWN,
        TopicKind.ORDER: world.order_id if world else UNKNOWN,
        TopicKind.RIDER: world.rider_id if world else UNKNOWN,
        TopicKind.CUSTOMER: world.customer_id if world else UNKNOWN,
        TopicKind.OPERATIONS: world.region if world else "nowhere",
        TopicKind.USER: world.customer_id if world else UNKNOWN,
    }
    return f"{kind}:{keys[kind]}" if kind in keys else str(kind)


def may_follow(kind: TopicKind, world: World | None, who: Principal) -> bool:
    """Said apart from the code that is tested: by role and scope, kind by kind."""
    if kind is TopicKind.MENU:
        return True
    if kind is TopicKind.ADMINISTRATION or world is None:
        named_by_word = kind in (TopicKind.ADMINISTRATION, TopicKind.OPERATIONS)
        return named_by_word and "*" in scopes_of(who, READERS[kind])
    owner, role = {
        TopicKind.USER: (world.customer_id, None),
        TopicKind.CUSTOMER: (world.customer_id, "customer"),
        TopicKind.ORDER: (world.customer_id, "customer"),
        TopicKind.RIDER: (world.rider_id, "rider"),
    }.get(kind, (None, None))
    if who.person_id == owner and (role is None or any(grant.role == role for grant in who.grants)):
        return True
    opening = {"*", f"region:{world.region}"}
    if kind in (TopicKind.KITCHEN, TopicKind.ORDER):
        opening.add(f"kitchen:{world.kitchen_id}")
    return bool(opening & scopes_of(who, READERS.get(kind, frozenset())))


def scopes_of(who: Principal, roles: frozenset[str]) -> set[str]:
    return {grant.scope for grant in who.grants if grant.role in roles}
