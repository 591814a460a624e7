"""The ways in over HTTP: code by phone with the development inbox, password set by the administration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from db.connection import Database
from tests.auth.conftest import bearer

NewPerson = Callable[..., Awaitable[str]]
GOOD = "correct horse 42 battery"


@pytest.fixture
def database(hub_database: Database) -> Database:
    """People are added to the hub's own database."""
    return hub_database


async def test_a_customer_comes_in_by_a_code(api: aiohttp.ClientSession) -> None:
    async with api.post("/v1/auth/otp", json={"phone": "+91 98400 00001"}) as answer:
        asked = await answer.json()
        assert answer.status == 200, asked
    assert set(asked) == {"otp_id", "expires_at", "expires_in_seconds", "resend_after_seconds", "phone"}
    assert asked["phone"] == "+91…01"
    async with api.get("/v1/development/inbox") as answer:
        [message, *_] = (await answer.json())["messages"]
    body = {"otp_id": asked["otp_id"], "code": message["text"][:6], "device": "my phone"}
    async with api.post("/v1/auth/otp/verify", json=body) as answer:
        tokens = await answer.json()
    async with api.get("/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}) as answer:
        me = await answer.json()
    assert me["grants"] == [{"role": "customer", "scope": "own", "expires_at": None}]
    async with api.post("/v1/auth/otp/verify", json=body) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "otp.gone")


async def test_the_answer_is_the_same_for_a_number_that_nobody_has(api: aiohttp.ClientSession) -> None:
    shapes = []
    for phone in ("+919840000002", "+919840000003"):
        async with api.post("/v1/auth/otp", json={"phone": phone}) as answer:
            shapes.append((answer.status, sorted(await answer.json())))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"phone": "98200"}, {"phone": 1}, {"phone": "+919840000004", "purpose": "reset"},
        {"phone": "+919840000004", "code": "123456"}, {"phone": "+1 900 555 0123"},
    ],
)  # fmt: skip
async def test_a_code_is_never_sent_for_nonsense(api: aiohttp.ClientSession, body: dict[str, object]) -> None:
    async with api.post("/v1/auth/otp", json=body) as answer:
        assert answer.status == 422


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "123456\n", None, 123456])
async def test_a_code_has_six_digits(api: aiohttp.ClientSession, code: object) -> None:
    body = {"otp_id": "01a212fe-7b50-781e-9835-ff4eac515205", "code": code}
    async with api.post("/v1/auth/otp/verify", json=body) as answer:
        assert answer.status == 422


async def test_changing_the_number_takes_somebody(api: aiohttp.ClientSession) -> None:
    async with api.post("/v1/auth/otp", json={"phone": "+919840000005", "purpose": "change-phone"}) as answer:
        assert answer.status == 401


async def test_the_staff_come_in_by_password(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    admin = await new_person("Admin", role="administrator", scope="*")
    person_id = await new_person("Manu", role="manager", scope="region:north")
    body = {"login": "Manu.north", "password": GOOD}
    async with api.put(f"/v1/users/{person_id}/password", json=body, headers=bearer(person_id)) as answer:
        assert answer.status == 403
    async with api.put(f"/v1/users/{person_id}/password", json=body, headers=bearer(admin)) as answer:
        assert answer.status == 200
    async with api.post("/v1/auth/password", json=body) as answer:
        tokens = await answer.json()
        assert tokens["person"] == {"id": person_id, "name": "Manu"}
    async with api.post("/v1/auth/password", json=body | {"password": "wrong"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "password.wrong")
    change = {"old_password": GOOD, "password": "another good 99 one"}
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with api.put("/v1/me/password", json=change, headers=headers) as answer:
        assert answer.status == 200
    async with api.post("/v1/auth/password", json=body) as answer:
        assert answer.status == 401
