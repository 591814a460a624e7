"""A block is part of placing an order, whoever places it and whatever the block names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from db.connection import Database
from tests.auth.conftest import bearer, keyed
from tests.properties.world import make_world
from tests.users.test_administration import add_with_phone, later, let_in, new_phone
from tests.users.test_me import ask

NewPerson = Callable[..., Awaitable[str]]


@pytest.fixture
async def admin(new_person: NewPerson) -> str:
    """An administrator of everything."""
    return await new_person("Admin", role="administrator", scope="*")


@pytest.fixture(scope="module")
def worlds() -> dict[str, Any]:
    """The one world of this module, once it is made."""
    return {}


@pytest.fixture
async def basket(
    worlds: dict[str, Any], hub_database: Database, api: aiohttp.ClientSession, new_person: NewPerson
) -> dict[str, Any]:
    """A dish of a kitchen, and where it goes."""
    if not worlds:
        customer_id, rider_id = await new_person(role="customer"), await new_person(role="rider")
        async with hub_database.connection() as conn:
            worlds["north"] = await make_world(conn, api, "north", customer_id=customer_id, rider_id=rider_id)
    north = worlds["north"]
    return {
        "kitchen_id": north.kitchen_id, "items": [{"item_id": north.item_id}], "drop": {"lat": 19.1042, "lon": 72.8013},
    }  # fmt: skip


async def block(api: aiohttp.ClientSession, admin: str, kind: str, value: str, effect: str = "refuse") -> str:
    body = {"kind": kind, "value": value, "effect": effect, "reason": "never at home", "expires_at": later()}
    status, answer = await ask(api, "POST", "/v1/blocks", admin, json=body)
    assert status == 201, answer
    return str(answer["block"]["id"])


@pytest.mark.parametrize(
    ("kind", "effect", "answer"),
    [
        ("person", "refuse", (409, "order.blocked")),
        ("phone", "refuse", (409, "order.blocked")),
        ("cell", "refuse", (409, "order.blocked")),
        ("person", "prepaid", (409, "order.prepaid_only")),
        ("person", "review", (201, None)),
    ],
)
async def test_a_block_has_its_effect_until_it_is_lifted(
    api: aiohttp.ClientSession,
    admin: str,
    basket: dict[str, Any],
    database: Database,
    kind: str,
    effect: str,
    answer: tuple[int, str | None],
) -> None:
    phone = new_phone()
    customer = await add_with_phone(api, admin, phone)
    await let_in(database, customer)
    await ask(api, "POST", "/v1/roles", admin, json={"person_id": customer, "role": "customer", "scope": "own"})
    value = {"person": customer, "phone": phone, "cell": "19.1049,72.8001"}[kind]
    block_id = await block(api, admin, kind, value, effect)
    status, body = await ask(api, "POST", "/v1/orders", customer, json=basket)
    assert (status, body.get("code")) == answer
    assert "never at home" not in str(body)
    assert (await ask(api, "POST", f"/v1/blocks/{block_id}/lift", admin, json={"reason": "apologised"}))[0] == 200
    assert (await ask(api, "POST", "/v1/orders", customer, json=basket))[0] == 201


async def test_a_block_does_not_lose_a_race(
    api: aiohttp.ClientSession, admin: str, basket: dict[str, Any], new_person: NewPerson
) -> None:
    customer = await new_person(role="customer")
    await block(api, admin, "person", customer)

    async def place() -> int:
        async with api.post("/v1/orders", json=basket, headers=bearer(customer) | keyed()) as answer:
            return answer.status

    assert set(await asyncio.gather(*(place() for _ in range(10)))) == {409}


async def test_another_cell_is_not_blocked(
    api: aiohttp.ClientSession, admin: str, basket: dict[str, Any], new_person: NewPerson
) -> None:
    await block(api, admin, "cell", "19.1149,72.8001")
    assert (await ask(api, "POST", "/v1/orders", await new_person(role="customer"), json=basket))[0] == 201
