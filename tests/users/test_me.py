"""One's own profile, topics and addresses over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from db.connection import Database
from tests.auth.conftest import bearer, keyed

NewPerson = Callable[..., Awaitable[str]]
HOME: dict[str, Any] = {
    "label": "Home",
    "line": "12 Sea View Road, canary-street-7",
    "lat": 19.1,
    "lon": 72.8,
    "notes": "ring twice, canary-notes-7",
}


async def ask(api: aiohttp.ClientSession, method: str, path: str, who: str, **options: Any) -> tuple[int, Any]:
    headers = bearer(who) | options.pop("headers", {})
    if method == "POST" and "Idempotency-Key" not in headers:
        headers |= keyed()
    async with api.request(method, path, headers=headers, **options) as answer:
        return answer.status, await answer.json()


async def test_me_tells_who_one_is_and_what_one_may_follow(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id = await new_person("Ravi", role="rider")
    status, body = await ask(api, "GET", "/v1/me", person_id)
    assert status == 200
    assert body["person"]["name"] == "Ravi"
    assert body["grants"] == [{"role": "rider", "scope": "own", "expires_at": None}]
    assert body["topics"] == [f"rider:{person_id}", f"user:{person_id}"]


@pytest.mark.parametrize(
    ("role", "scope", "topics"),
    [
        ("manager", "region:north", ["operations:north"]),
        ("cook", "kitchen:01a212fe-7b50-781e-9835-ff4eac515205", ["kitchen:01a212fe-7b50-781e-9835-ff4eac515205"]),
        ("dispatcher", "region:north", ["operations:north"]),
        ("administrator", "*", ["administration"]),
    ],
)
async def test_a_grant_opens_its_topics(
    api: aiohttp.ClientSession, new_person: NewPerson, role: str, scope: str, topics: list[str]
) -> None:
    person_id = await new_person(role=role, scope=scope)
    _, body = await ask(api, "GET", "/v1/me", person_id)
    assert body["topics"] == sorted([*topics, f"user:{person_id}"])


async def test_a_profile_is_changed_field_by_field(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id = await new_person(role="customer")
    status, body = await ask(
        api, "PATCH", "/v1/me", person_id, json={"time_zone": "Asia/Kolkata", "notifications": ["order"]}
    )
    assert (status, body["person"]["name"], body["person"]["version"]) == (200, "Asha", 2)
    status, body = await ask(api, "PATCH", "/v1/me", person_id, json={"name": "Asha R"}, headers={"If-Match": '"1"'})
    assert (status, body["code"], body["version"]) == (409, "user.stale_version", 2)
    status, body = await ask(api, "PATCH", "/v1/me", person_id, json={"name": "Asha R"}, headers={"If-Match": '"2"'})
    assert (status, body["person"]["name"], body["person"]["time_zone"]) == (200, "Asha R", "Asia/Kolkata")


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""}, {"name": "   "}, {"name": "a" * 101}, {"name": 1}, {"name": "a\u0000b"}, {"locale": "x"},
        {"locale": "en\n"}, {"time_zone": "Mars/Olympus"}, {"notifications": ["spam"]}, {"role": "administrator"},
        {"is_active": False}, {"id": "x"},
        {"version": 7}, {"grants": []}, {"person": {"name": "x"}},
    ],
)  # fmt: skip
async def test_a_profile_refuses_what_is_not_its_own(
    api: aiohttp.ClientSession, new_person: NewPerson, body: dict[str, Any]
) -> None:
    person_id = await new_person(role="customer")
    assert (await ask(api, "PATCH", "/v1/me", person_id, json=body))[0] == 422
    assert (await ask(api, "GET", "/v1/me", person_id))[1]["person"]["version"] == 1


async def test_an_address_is_kept_changed_and_forgotten(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id = await new_person(role="customer")
    status, body = await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME)
    assert status == 201
    home = body["address"]
    assert home == HOME | {"id": home["id"], "is_default": True, "version": 1}
    changed = HOME | {"line": "13 Sea View Road"}
    status, body = await ask(api, "PUT", f"/v1/me/addresses/{home['id']}", person_id, json=changed)
    assert (status, body["address"]["line"], body["address"]["version"]) == (200, "13 Sea View Road", 2)
    status, body = await ask(
        api, "PUT", f"/v1/me/addresses/{home['id']}", person_id, json=HOME, headers={"If-Match": '"1"'}
    )
    assert (status, body["code"]) == (409, "address.stale_version")
    _, work = await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME | {"label": "Work"})
    assert (await ask(api, "POST", f"/v1/me/addresses/{work['address']['id']}/default", person_id, json={}))[0] == 200
    _, body = await ask(api, "GET", "/v1/me/addresses", person_id)
    assert [(row["label"], row["is_default"]) for row in body["addresses"]] == [("Home", False), ("Work", True)]
    assert (await ask(api, "DELETE", f"/v1/me/addresses/{home['id']}", person_id))[0] == 200
    assert (await ask(api, "DELETE", f"/v1/me/addresses/{home['id']}", person_id))[0] == 404


async def test_one_key_adds_one_address_with_one_answer(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id, key = await new_person(role="customer"), keyed()
    first = await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME, headers=key)
    again = await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME, headers=key)
    assert first == again
    other = await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME | {"label": "Work"}, headers=key)
    assert (other[0], other[1]["code"]) == (422, "idempotency.reused")
    assert len((await ask(api, "GET", "/v1/me/addresses", person_id))[1]["addresses"]) == 1


async def test_another_persons_address_is_as_if_it_did_not_exist(
    api: aiohttp.ClientSession, new_person: NewPerson
) -> None:
    asha, eve = await new_person(role="customer"), await new_person("Eve", role="customer")
    _, body = await ask(api, "POST", "/v1/me/addresses", asha, json=HOME)
    path = f"/v1/me/addresses/{body['address']['id']}"
    unknown = "/v1/me/addresses/01a212fe-7b50-781e-9835-ff4eac515205"
    for method, suffix, payload in (("PUT", "", HOME), ("DELETE", "", None), ("POST", "/default", {})):
        theirs = await ask(api, method, path + suffix, eve, json=payload)
        nobodys = await ask(api, method, unknown + suffix, eve, json=payload)
        assert theirs[0] == nobodys[0] == 404
        assert {k: v for k, v in theirs[1].items() if k != "request_id"} == {
            k: v for k, v in nobodys[1].items() if k != "request_id"
        }
    assert (await ask(api, "GET", "/v1/me/addresses", eve))[1]["addresses"] == []


async def test_the_twenty_first_address_is_refused(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    person_id = await new_person(role="customer")
    answers = [await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME) for _ in range(21)]
    assert [status for status, _ in answers] == [201] * 20 + [409]
    assert answers[-1][1]["code"] == "address.too_many"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"lat": 91}, {"lat": "19"}, {"lat": None}, {"lat": 0, "lon": 0}, {"lon": 181}, {"line": ""},
        {"label": "x" * 41}, {"owner": "x"},
    ],
)  # fmt: skip
async def test_a_place_that_is_none_is_refused(
    api: aiohttp.ClientSession, new_person: NewPerson, spoilt: dict[str, Any]
) -> None:
    person_id = await new_person(role="customer")
    assert (await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME | spoilt))[0] == 422


async def test_no_address_stands_in_clear_anywhere_in_the_database(
    hub_database: Database, api: aiohttp.ClientSession, new_person: NewPerson
) -> None:
    person_id = await new_person(role="customer")
    assert (await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME))[0] == 201
    async with hub_database.connection() as conn:
        tables = [
            row["relname"]
            for row in await conn.fetch(
                "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
            )
        ]
        for table in tables:
            assert (
                await conn.fetchval(f'select count(*) from "{table}" as t where t::text like $1', "%canary-%") == 0
            ), table
