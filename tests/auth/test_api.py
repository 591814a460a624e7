"""Signing in, refreshing and signing out over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from db.connection import Database
from hub.gateway.tokens import issue_access, issue_demo_link, make_key_ring
from tests.auth.conftest import SECRET

RING = make_key_ring(SECRET)
NewPerson = Callable[..., Awaitable[str]]


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    """The hub's own database."""
    database = Database(module_database_url, size=2, application="tests")
    await database.start()
    yield database
    await database.stop()


async def sign_in(api: aiohttp.ClientSession, person_id: str, home: str = "/rider") -> dict[str, Any]:
    link = issue_demo_link(RING, person_id=person_id, home=home)
    async with api.post("/v1/auth/demo", json={"link": link}) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_a_demo_link_leads_to_its_screen_once(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id = await new_person(role="rider")
    link = issue_demo_link(RING, person_id=person_id, home="/rider")
    async with api.post("/v1/auth/demo", json={"link": link}) as answer:
        body = await answer.json()
    assert body["home"] == "/rider"
    assert body["person"] == {"id": person_id, "name": "Asha"}
    assert answer.headers["RateLimit-Limit"] == "60"
    async with api.post("/v1/auth/demo", json={"link": link}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "auth.invalid")


async def test_refreshing_keeps_the_session(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    first = await sign_in(api, await new_person(role="customer", is_signed_in=False))
    async with api.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}) as answer:
        second = await answer.json()
    assert set(second) == {"access_token", "expires_at", "refresh_token"}
    async with api.get("/v1/me/sessions", headers=bearer(second)) as answer:
        [session] = (await answer.json())["sessions"]
    assert session["is_present"] is True
    assert session["ip"] == "127.0.0.1"


async def test_signing_out_refuses_the_token_at_once(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    tokens = await sign_in(api, await new_person(role="customer"))
    async with api.post("/v1/auth/logout", headers=bearer(tokens)) as answer:
        assert answer.status == 200
        assert (await answer.json())["session"]["revoked_at"] is not None
    async with api.get("/v1/me/sessions", headers=bearer(tokens)) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "auth.revoked")
    async with api.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}) as answer:
        assert answer.status == 401


async def test_one_session_ends_another_but_nobody_elses(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id = await new_person(role="customer", is_signed_in=False)
    here, there = await sign_in(api, person_id), await sign_in(api, person_id)
    theirs = await sign_in(api, await new_person("Ravi", role="customer", is_signed_in=False))
    async with api.get("/v1/me/sessions", headers=bearer(theirs)) as answer:
        [foreign] = (await answer.json())["sessions"]
    async with api.delete(f"/v1/me/sessions/{foreign['id']}", headers=bearer(here)) as answer:
        assert answer.status == 404
    async with api.delete("/v1/me/sessions", headers=bearer(here)) as answer:
        assert await answer.json() == {"ended": 1}
    async with api.get("/v1/me/sessions", headers=bearer(there)) as answer:
        assert answer.status == 401
    async with api.get("/v1/me/sessions", headers=bearer(theirs)) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "Bearer null", "bearer"]
)
async def test_nobody_passes_without_a_token(api: aiohttp.ClientSession, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with api.get("/v1/me/sessions", headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"\xff", b'{"refresh_token":1}', b'{"refresh_token":"x","more":1}',
        b'{"refresh_token":"\xed\xa0\x80"}', b'{"refresh_token":"' + b"a" * 3000 + b'"}',
    ],
)  # fmt: skip
async def test_bad_bodies_are_refused_with_the_place_of_the_fault(api: aiohttp.ClientSession, body: bytes) -> None:
    async with api.post("/v1/auth/refresh", data=body) as answer:
        assert answer.status in (400, 422), await answer.text()
        assert (await answer.json())["code"].startswith("body.")


async def test_a_token_of_another_house_is_refused(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    ring = make_key_ring("the secret of quite another house, long")
    token, _ = issue_access(ring, person_id=await new_person(), session_id="x", lifetime_seconds=60)
    async with api.get("/v1/me/sessions", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "auth.invalid")
