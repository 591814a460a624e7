"""The administration over HTTP: people, roles, blocks; who may, and what protects the house from those who may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from db.connection import Database
from hub.users.roles import role_table
from tests.signing import sign_in
from tests.users.test_me import HOME, ask

NewPerson = Callable[..., Awaitable[str]]
NOBODY = "01a212fe-7b50-781e-9835-ff4eac515205"
PHONES = iter(range(9_820_000_000, 9_830_000_000))


def new_phone() -> str:
    return f"+91{next(PHONES)}"


def later(days: int = 1) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.fixture
async def admin(new_person: NewPerson) -> str:
    """An administrator of everything."""
    return await new_person("Admin", role="administrator", scope="*")


async def add_with_phone(api: aiohttp.ClientSession, admin: str, phone: str, name: str = "Meera") -> str:
    status, body = await ask(api, "POST", "/v1/users", admin, json={"name": name, "phone": phone})
    assert status == 201, body
    return str(body["user"]["id"])


async def let_in(database: Database, person_id: str) -> None:
    """Sign in somebody whom the administration added."""
    async with database.connection() as conn:
        await sign_in(conn, person_id)


async def test_a_phone_belongs_to_one_person(api: aiohttp.ClientSession, admin: str) -> None:
    phone = new_phone()
    person_id = await add_with_phone(api, admin, phone)
    status, body = await ask(
        api, "POST", "/v1/users", admin, json={"name": "Other", "phone": phone[:3] + " " + phone[3:]}
    )
    assert (status, body["code"]) == (409, "phone.taken")
    assert phone not in str(body)
    _, found = await ask(api, "GET", "/v1/users", admin, params={"phone": phone})
    assert [user["id"] for user in found["users"]] == [person_id]
    assert found["users"][0]["has_phone"] is True


@pytest.mark.parametrize(
    "phone", ["", "98200", "+91", "+9198", "+1900 555 1234", "+91 98200 0000x", "+" + "9" * 40, "tel:+919820012345"]
)
async def test_what_is_no_phone_is_refused(api: aiohttp.ClientSession, admin: str, phone: str) -> None:
    status, body = await ask(api, "POST", "/v1/users", admin, json={"name": "x", "phone": phone})
    assert (status, body["code"]) == (422, "phone.invalid")


async def test_whoever_looks_at_private_data_is_recorded(api: aiohttp.ClientSession, admin: str) -> None:
    phone = new_phone()
    person_id = await add_with_phone(api, admin, phone)
    _, plain = await ask(api, "GET", f"/v1/users/{person_id}", admin)
    assert phone not in str(plain)
    status, body = await ask(api, "POST", f"/v1/users/{person_id}/reveal", admin, json={"reason": "lost parcel"})
    assert (status, body) == (200, {"phone": phone, "addresses": []})
    _, looks = await ask(api, "GET", "/v1/security/looks", admin, params={"subject_id": person_id})
    assert [(look["actor_id"], look["reason"]) for look in looks["looks"]] == [(admin, "lost parcel")]
    assert (await ask(api, "POST", f"/v1/users/{NOBODY}/reveal", admin, json={"reason": "curious"}))[0] == 404


async def test_disabling_ends_everything_at_once(api: aiohttp.ClientSession, admin: str, new_person: NewPerson) -> None:
    person_id = await new_person(role="customer")
    assert (await ask(api, "GET", "/v1/me", person_id))[0] == 200
    change = {"is_active": False, "reason": "fraud"}
    status, body = await ask(api, "PATCH", f"/v1/users/{person_id}", admin, json=change)
    assert (status, body["user"]["is_active"]) == (200, False)
    assert (await ask(api, "GET", "/v1/me", person_id))[0] == 401


@pytest.mark.parametrize("role", ["customer", "cook", "expediter", "rider", "dispatcher", "manager", "integrator"])
async def test_nobody_but_an_administrator_administers(
    api: aiohttp.ClientSession, new_person: NewPerson, role: str
) -> None:
    scope = "own" if role in ("customer", "rider") else "*"
    person_id = await new_person(role=role, scope=scope)
    why = {"reason": "because"}
    for method, path, body in (
        ("GET", "/v1/users", None),
        ("POST", "/v1/users", {"name": "x"}),
        ("GET", f"/v1/users/{NOBODY}", None),
        ("PATCH", f"/v1/users/{NOBODY}", {"is_active": True} | why),
        ("POST", f"/v1/users/{NOBODY}/reveal", why),
        ("POST", f"/v1/users/{NOBODY}/erase", why),
        ("POST", f"/v1/users/{NOBODY}/merge", {"into_id": NOBODY} | why),
        ("GET", "/v1/roles", None),
        ("POST", "/v1/roles", {"person_id": person_id, "role": "administrator", "scope": "*"}),
        ("DELETE", f"/v1/roles/{NOBODY}", None),
        ("GET", "/v1/security/looks", None),
    ):
        assert (await ask(api, method, path, person_id, json=body))[0] == 403, (role, method, path)


async def test_nobody_grants_to_themselves(api: aiohttp.ClientSession, admin: str) -> None:
    body = {"person_id": admin, "role": "manager", "scope": "*"}
    status, answer = await ask(api, "POST", "/v1/roles", admin, json=body)
    assert (status, answer["code"]) == (403, "role.to_oneself")


async def test_an_administrator_of_a_region_stays_within_it(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    regional = await new_person("Regional", role="administrator", scope="region:north")
    person_id = await new_person()
    for scope, expected in (("region:north", 201), ("region:south", 403), ("*", 403)):
        body = {"person_id": person_id, "role": "manager", "scope": scope}
        assert (await ask(api, "POST", "/v1/roles", regional, json=body))[0] == expected
    assert (await ask(api, "GET", "/v1/users", regional))[0] == 403
    _, seen = await ask(api, "GET", "/v1/roles", regional)
    assert {grant["scope"] for grant in seen["grants"]} == {"region:north"}


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("cook", "own"), ("customer", "*"), ("rider", "region:north"), ("cook", "kitchen:x"), ("cook", "region:"),
        ("cook", ""), ("king", "*"),
    ],
)  # fmt: skip
async def test_a_scope_must_fit_its_role(
    api: aiohttp.ClientSession, admin: str, new_person: NewPerson, role: str, scope: str
) -> None:
    body = {"person_id": await new_person(), "role": role, "scope": scope}
    assert (await ask(api, "POST", "/v1/roles", admin, json=body))[0] == 422


async def test_a_taken_role_refuses_at_once(api: aiohttp.ClientSession, admin: str, new_person: NewPerson) -> None:
    person_id = await new_person("Manu")
    body = {"person_id": person_id, "role": "administrator", "scope": "*", "expires_at": later()}
    _, granted = await ask(api, "POST", "/v1/roles", admin, json=body)
    assert (await ask(api, "GET", "/v1/users", person_id))[0] == 200
    assert (await ask(api, "DELETE", f"/v1/roles/{granted['grant']['id']}", admin))[0] == 200
    assert (await ask(api, "GET", "/v1/users", person_id))[0] == 403


async def test_the_last_administrator_stays_even_in_a_race(
    api: aiohttp.ClientSession, database: Database, new_person: NewPerson
) -> None:
    admins = [await new_person(f"Admin {n}", role="administrator", scope="*") for n in range(4)]

    async def remove(person_id: str) -> None:
        async with database.connection() as conn:
            await conn.execute("delete from role_grant where role = 'administrator' and person_id = $1", person_id)

    async with database.connection() as conn:
        await conn.execute(
            "delete from role_grant where role = 'administrator' and person_id <> all($1::uuid[])", admins
        )
    answers = await asyncio.gather(*(remove(person_id) for person_id in admins), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, asyncpg.PostgresError)]
    assert [error.sqlstate for error in refused] == ["HP033"]
    async with database.connection() as conn:
        last = str(await conn.fetchval("select person_id from role_grant where role = 'administrator'"))
    other = await new_person("Regional", role="administrator", scope="region:north")
    status, body = await ask(api, "PATCH", f"/v1/users/{last}", last, json={"is_active": False, "reason": "leaving"})
    assert (status, body["code"]) == (409, "role.last_administrator")
    assert (await ask(api, "PATCH", f"/v1/users/{other}", last, json={"is_active": False, "reason": "leaving"}))[
        0
    ] == 200


async def test_merging_keeps_one_person_with_everything(
    api: aiohttp.ClientSession, admin: str, database: Database, new_person: NewPerson
) -> None:
    phone = new_phone()
    old, new = await add_with_phone(api, admin, phone), await new_person("Meera B", role="customer")
    await let_in(database, old)
    await ask(api, "POST", "/v1/roles", admin, json={"person_id": old, "role": "customer", "scope": "own"})
    assert (await ask(api, "POST", "/v1/me/addresses", old, json=HOME))[0] == 201
    merge = {"into_id": new, "reason": "the same person"}
    status, body = await ask(api, "POST", f"/v1/users/{old}/merge", admin, json=merge)
    assert (status, body["user"]["merged_into"], body["user"]["is_active"]) == (200, new, False)
    _, revealed = await ask(api, "POST", f"/v1/users/{new}/reveal", admin, json={"reason": "check"})
    assert revealed["phone"] == phone
    assert [address["line"] for address in revealed["addresses"]] == [HOME["line"]]
    assert (await ask(api, "GET", "/v1/me", old))[0] == 401
    status, body = await ask(api, "POST", f"/v1/users/{old}/merge", admin, json=merge)
    assert (status, body["code"]) == (409, "user.unmergeable")
    assert (await ask(api, "POST", f"/v1/users/{new}/merge", admin, json={"into_id": new, "reason": "oops"}))[0] == 409


async def test_erasing_leaves_no_trace_of_the_person(
    api: aiohttp.ClientSession, admin: str, database: Database
) -> None:
    person_id = await add_with_phone(api, admin, new_phone(), name="Canary Person Erased")
    await let_in(database, person_id)
    await ask(api, "POST", "/v1/roles", admin, json={"person_id": person_id, "role": "customer", "scope": "own"})
    await ask(api, "POST", "/v1/me/addresses", person_id, json=HOME)
    status, body = await ask(api, "POST", f"/v1/users/{person_id}/erase", admin, json={"reason": "asked for it"})
    assert (status, body["user"]["name"], body["user"]["is_active"]) == (200, "erased", False)
    async with database.connection() as conn:
        for table in ("contact", "address", "role_grant"):
            assert await conn.fetchval(f"select count(*) from {table} where person_id = $1", person_id) == 0
        for table in ("person", "audit_event"):
            query = f"select count(*) from {table} as t where t::text like '%Canary Person Erased%'"
            assert await conn.fetchval(query) == 0, table
    assert (await ask(api, "POST", f"/v1/users/{person_id}/erase", admin, json={"reason": "again"}))[0] == 404
    change = {"is_active": True, "reason": "come back"}
    assert (await ask(api, "PATCH", f"/v1/users/{person_id}", admin, json=change))[0] == 409


async def test_a_block_is_made_seen_and_lifted(api: aiohttp.ClientSession, admin: str, database: Database) -> None:
    phone = new_phone()
    await add_with_phone(api, admin, phone)
    block = {"kind": "phone", "value": phone, "effect": "refuse", "reason": "never at home", "expires_at": later()}
    status, body = await ask(api, "POST", "/v1/blocks", admin, json=block)
    assert status == 201, body
    assert phone not in str(body)
    _, seen = await ask(api, "GET", "/v1/blocks", admin, params={"kind": "phone"})
    assert [row["id"] for row in seen["blocks"]] == [body["block"]["id"]]
    path = f"/v1/blocks/{body['block']['id']}/lift"
    copies = "select count(*) from block_phone where block_id = $1"
    async with database.connection() as conn:
        assert await conn.fetchval(copies, body["block"]["id"]) == 1
    assert (await ask(api, "POST", path, admin, json={"reason": "apologised"}))[0] == 200
    assert (await ask(api, "POST", path, admin, json={"reason": "again"}))[0] == 404
    async with database.connection() as conn:
        assert await conn.fetchval(copies, body["block"]["id"]) == 0


@pytest.mark.parametrize(
    "spoilt",
    [
        {"reason": ""}, {"reason": "  "}, {"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": later(400)},
        {"kind": "x"}, {"effect": "x"}, {"value": "x"},
    ],
)  # fmt: skip
async def test_a_block_needs_reason_and_end(api: aiohttp.ClientSession, admin: str, spoilt: dict[str, Any]) -> None:
    block = {"kind": "person", "value": NOBODY, "effect": "refuse", "reason": "never at home", "expires_at": later()}
    assert (await ask(api, "POST", "/v1/blocks", admin, json=block | spoilt))[0] == 422


async def test_no_administrator_is_blocked(api: aiohttp.ClientSession, admin: str, new_person: NewPerson) -> None:
    other = await new_person("Other", role="administrator", scope="*")
    for value in (admin, other):
        block = {"kind": "person", "value": value, "effect": "refuse", "reason": "grudge", "expires_at": later()}
        status, body = await ask(api, "POST", "/v1/blocks", admin, json=block)
        assert (status, body["code"]) == (409, "block.protected")


async def test_the_table_of_roles_is_told_as_it_is(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    _, body = await ask(api, "GET", "/v1/roles/table", await new_person(role="cook", scope="*"))
    assert body["roles"] == role_table()
    assert "role.grant" in body["roles"]["administrator"]
