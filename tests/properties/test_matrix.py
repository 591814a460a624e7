"""Who may do what: every role, and nobody, × every route × every object, each cell asked over HTTP.

A cell is right when it is refused exactly where the documented table of roles says so, when a foreign object is refused
like one that does not exist, and when no text of a world ever reaches somebody of the other one. Every answer is also
one that the published document declares.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from db.connection import Database
from hub.app import NOUNS
from hub.domain.roles import Permission, Principal
from hub.gateway import endpoint
from hub.gateway.endpoint import Route
from hub.orders import api as orders_api
from hub.users import me
from tests.auth.conftest import bearer, keyed
from tests.properties import cells
from tests.properties.cells import ANYBODY, SIGNED_IN, Cell, NewPerson, cells_of
from tests.properties.objects import KINDS, fresh
from tests.properties.world import World
from tests.service.contract import Contract

AT_ONCE = 4
MOST_TOLD = 30
# Only somebody inside has a body compared with the object itself, and only while its state allows the move.
OF_THE_OBJECT = ("delivery.wrong_code", "delivery.wrong_pin", "delivery.cash_differs")
Answer = tuple[int, dict[str, Any], str]


@dataclass(slots=True, kw_only=True)
class Matrix:
    """The board on which it is played, what was asked, and what was wrong."""

    api: aiohttp.ClientSession
    database: Database
    worlds: tuple[World, World]
    contract: Contract
    page: dict[tuple[str, str], str]
    cells: int = 0
    wrong: list[str] = field(default_factory=list)
    addresses: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def play(self, routes: list[Route], people: list[Principal | None]) -> None:
        """Ask every cell."""
        waiting = asyncio.Semaphore(AT_ONCE)

        async def one(who: Principal | None) -> None:
            async with waiting:
                await self._ask_all(list(cells_of(routes, who, self.worlds)))

        await asyncio.gather(*(one(who) for who in people))

    async def _ask_all(self, asked: list[Cell]) -> None:
        unknown: dict[str, tuple[int, dict[str, Any]]] = {}
        for cell in asked:
            status, body, text = await self._ask(cell)
            self.cells += 1
            if cell.world is None:
                unknown[cell.key] = (status, body)
            told = [f"was answered {status}"] if status >= 500 else []
            told += faults(cell, cells.taken_by(cell.route, self.page), (status, body), unknown.get(cell.key))
            is_everywhere = cell.who is not None and any(grant.scope == "*" for grant in cell.who.grants)
            if not is_everywhere and self.worlds[1].canary in text:
                told.append("was told a private text of the other world")
            self.wrong += [f"{cell}: {fault}" for fault in told]

    async def _ask(self, cell: Cell) -> Answer:
        """One cell; those of addresses one at a time, for each makes room for its own."""
        async with self.addresses if "address_id" in cell.names else contextlib.nullcontext():
            return await self._ask_now(cell)

    async def _ask_now(self, cell: Cell) -> Answer:
        ids = {} if cell.world is None else cell.world.ids()
        for name in cell.names:
            if name in KINDS and cell.world is not None:
                async with self.database.connection() as conn:
                    ids[name] = await fresh(conn, name, cell.world)
        headers = keyed() | ({} if cell.who is None else bearer(cell.who.person_id))
        async with self.api.request(**cells.request_of(cell, ids), headers=headers) as answer:
            text = await answer.text()
            body = await answer.json(content_type=None)
            route = cell.route
            fault = self.contract.fault(route.method, route.path, answer.status, answer.content_type, body)
            self.wrong.extend([f"{cell}: {fault}"] if fault else [])
            return answer.status, {name: value for name, value in body.items() if name != "request_id"}, text


def faults(
    cell: Cell, takes: str, answer: tuple[int, dict[str, Any]], unknown: tuple[int, dict[str, Any]] | None
) -> Iterator[str]:
    """What is wrong with an answer, by what the page says that the route takes."""
    status, body = answer
    code = str(body.get("code"))
    told = f"was answered {status} {code}"
    if takes == ANYBODY:
        if code in ("auth.required", "forbidden"):
            yield f"is for anybody, but {told}"
    elif cell.who is None:
        if (status, code) != (401, "auth.required"):
            yield f"nobody is signed in, but {told}"
    elif takes != SIGNED_IN and not cells.is_held(cell.who, Permission(takes)):
        if (status, code) != (403, "forbidden"):
            yield f"has not the permission {takes}, but {told}"
    elif code == "forbidden" or code.startswith("auth."):
        yield f"is allowed, but {told}"
    elif cell.names and cell.world is not None:
        yield from _about_the_object(cell, takes, answer, unknown, told)


def _about_the_object(
    cell: Cell, takes: str, answer: tuple[int, dict[str, Any]], unknown: tuple[int, dict[str, Any]] | None, told: str
) -> Iterator[str]:
    permission = None if takes == SIGNED_IN else Permission(takes)
    if cells.is_inside(cell, permission):
        is_bad_body = answer[0] == 422 and answer[1].get("path") and answer[1]["code"] not in OF_THE_OBJECT
        if answer[0] == 404 or is_bad_body:
            yield f"is inside, but {told}"
    elif answer != unknown:
        yield f"is outside, but {told}, unlike an unknown object: {unknown}"
    elif answer[0] < 300 and cell.route.method != "GET":
        yield f"is outside, but {told}"


@pytest.fixture
async def matrix(hub_database: Database, api: aiohttp.ClientSession, new_person: NewPerson) -> Matrix:
    """A board with two worlds."""
    async with api.get("/v1/openapi.json") as answer:
        contract = Contract(await answer.json())
    worlds = await cells.make_worlds(hub_database, api, new_person)
    return Matrix(api=api, database=hub_database, worlds=worlds, contract=contract, page=cells.documented())


def routes_of(*paths: str) -> list[Route]:
    """Every route that the hub serves, or those with these paths."""
    return [route for noun in NOUNS for route in noun.routes if not paths or route.path in paths]


async def test_matrix_of_roles_routes_and_objects(
    matrix: Matrix, new_person: NewPerson, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = routes_of()
    people: list[Principal | None] = [None, *await cells.make_principals(new_person, matrix.worlds[0])]
    await matrix.play(routes, people)
    with capsys.disabled():
        sys.stdout.write(f"\nmatrix: {matrix.cells} cells over HTTP, {len(matrix.wrong)} leaks or wrong refusals\n")
        sys.stdout.writelines(f"  {fault}\n" for fault in matrix.wrong[:MOST_TOLD])
    assert matrix.cells == sum(1 for who in people for _ in cells_of(routes, who, matrix.worlds))
    assert matrix.wrong == []


def test_the_page_knows_every_route_and_no_other() -> None:
    assert cells.documented().keys() == {
        (route.method, cells.PARAMETER.sub(r"{\1}", route.path)) for route in routes_of()
    }


def _everywhere(_: object) -> dict[str, Any]:
    return {"everywhere": True, "kitchen_ids": [], "regions": [], "owner_id": None}


LEAKS = {
    "the permission is not asked": ("/v1/users", endpoint, "may_anywhere", lambda who, permission: True),
    "the reach is not kept": ("/v1/orders/<order_id:uuid>", orders_api, "reach_values", _everywhere),
    "another person's address is told apart": (
        "/v1/me/addresses/<address_id:uuid>/default", me, "NotFound", lambda _: ValueError("a fault"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
async def test_a_planted_leak_is_found(
    matrix: Matrix, new_person: NewPerson, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    path, module, name, planted = LEAKS[leak]
    people: list[Principal | None] = [None, *await cells.make_principals(new_person, matrix.worlds[0])]
    await matrix.play(routes_of(path), people)
    assert matrix.wrong == []
    monkeypatch.setattr(module, name, planted)
    await matrix.play(routes_of(path), people)
    assert matrix.wrong


async def test_a_route_that_takes_less_than_the_page_says_is_found(matrix: Matrix, new_person: NewPerson) -> None:
    matrix.page["GET", "/v1/roles/table"] = str(Permission.ROLE_GRANT)
    await matrix.play(routes_of("/v1/roles/table"), [Principal(person_id=await new_person())])
    assert [fault for fault in matrix.wrong if "has not the permission role.grant" in fault]
