"""Tablets and keys over HTTP: one code pairs one tablet, a PIN names one cook, a key ends at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from db import devices
from db.connection import Database
from db.encryption import blind_index, make_data_keys
from tests.auth.conftest import DATA_SECRET, FORMER_DATA_SECRET, bearer, keyed

NewPerson = Callable[..., Awaitable[str]]
Json = dict[str, Any]
KITCHEN = """
insert into kitchen (region, code, name, lat, lon, time_zone, currency, capacity_orders, accept_seconds, auto_accept)
values ('north', $1, 'North', 19.1, 72.8, 'UTC', 'INR', 10, 60, false) returning id
"""


@pytest.fixture
def database(hub_database: Database) -> Database:
    """People are added to the hub's own database."""
    return hub_database


@pytest.fixture
async def kitchen_id(database: Database) -> str:
    """A kitchen in the north."""
    async with database.connection() as conn:
        return str(await conn.fetchval(KITCHEN, keyed()["Idempotency-Key"]))


@pytest.fixture
async def manager(new_person: NewPerson) -> str:
    """A manager of the north."""
    return await new_person("Manu", role="manager", scope="region:north")


async def ask(
    api: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], body: Json | None = None
) -> tuple[int, Json]:
    async with api.request(method, path, json=body, headers=headers) as answer:
        return answer.status, dict(await answer.json())


async def add_tablet(api: aiohttp.ClientSession, manager: str, kitchen_id: str) -> Json:
    status, body = await ask(
        api, "POST", "/v1/devices", bearer(manager) | keyed(), {"kitchen_id": kitchen_id, "name": "Pass"}
    )
    assert status == 201, body
    return dict(body["device"])


async def pair(api: aiohttp.ClientSession, code: str) -> tuple[int, Json]:
    return await ask(api, "POST", "/v1/devices/pair", {}, {"code": code})


def of(tokens: Json) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_one_code_pairs_one_tablet_of_many(api: aiohttp.ClientSession, manager: str, kitchen_id: str) -> None:
    device = await add_tablet(api, manager, kitchen_id)
    answers = await asyncio.gather(*(pair(api, device["code"]) for _ in range(20)))
    [tokens] = [body for status, body in answers if status == 200]
    assert tokens["home"] == f"/kitchen/{kitchen_id}"
    status, me = await ask(api, "GET", "/v1/me", of(tokens))
    assert (status, me["grants"][0]["scope"], me["grants"][0]["role"]) == (200, f"kitchen:{kitchen_id}", "cook")


async def test_a_repeated_request_adds_one_tablet_with_one_code(
    api: aiohttp.ClientSession, manager: str, kitchen_id: str
) -> None:
    headers = bearer(manager) | keyed()
    body = {"kitchen_id": kitchen_id, "name": "Pass"}
    first = await ask(api, "POST", "/v1/devices", headers, body)
    assert first == await ask(api, "POST", "/v1/devices", headers, body)
    _, listed = await ask(api, "GET", f"/v1/devices?kitchen_id={kitchen_id}", bearer(manager))
    assert len(listed["devices"]) == 1
    assert "code" not in listed["devices"][0]


async def test_a_removed_tablet_is_out_at_once(api: aiohttp.ClientSession, manager: str, kitchen_id: str) -> None:
    device = await add_tablet(api, manager, kitchen_id)
    _, tokens = await pair(api, device["code"])
    path = f"/v1/devices/{device['id']}"
    assert (await ask(api, "DELETE", path, bearer(manager)))[0] == 200
    assert (await ask(api, "GET", "/v1/me", of(tokens)))[0] == 401
    assert (await ask(api, "POST", "/v1/auth/refresh", {}, {"refresh_token": tokens["refresh_token"]}))[0] == 401
    assert (await ask(api, "DELETE", path, bearer(manager)))[0] == 404


async def test_a_code_is_open_for_ten_minutes_and_for_a_tablet_that_is_there(
    api: aiohttp.ClientSession, manager: str, kitchen_id: str, database: Database
) -> None:
    late, removed = await add_tablet(api, manager, kitchen_id), await add_tablet(api, manager, kitchen_id)
    async with database.connection() as conn:
        await conn.execute("update device set code_expires_at = clock_timestamp() where id = $1", late["id"])
    await ask(api, "DELETE", f"/v1/devices/{removed['id']}", bearer(manager))
    for code in (late["code"], removed["code"]):
        assert (await pair(api, code))[1]["code"] == "pin.wrong"


async def test_a_manager_adds_tablets_only_to_their_own_kitchens(
    api: aiohttp.ClientSession, new_person: NewPerson, kitchen_id: str
) -> None:
    southern = await new_person(role="manager", scope="region:south")
    body = {"kitchen_id": kitchen_id, "name": "Pass"}
    foreign = await ask(api, "POST", "/v1/devices", bearer(southern) | keyed(), body)
    unknown = await ask(
        api,
        "POST",
        "/v1/devices",
        bearer(southern) | keyed(),
        body | {"kitchen_id": "01a212fe-7b50-781e-9835-ff4eac515205"},
    )
    assert foreign[0] == unknown[0] == 404
    assert foreign[1]["detail"] == unknown[1]["detail"]


async def test_a_pin_switches_to_its_cook_until_they_leave(
    api: aiohttp.ClientSession, manager: str, kitchen_id: str, new_person: NewPerson, database: Database
) -> None:
    cook = await new_person("Chitra", role="cook", scope=f"kitchen:{kitchen_id}")
    _, told = await ask(api, "POST", "/v1/me/pin", bearer(cook), {"kitchen_id": kitchen_id})
    device = await add_tablet(api, manager, kitchen_id)
    _, tablet = await pair(api, device["code"])
    status, switched = await ask(api, "POST", "/v1/devices/switch", of(tablet), {"pin": told["pin"]})
    assert (status, switched["person"]) == (200, {"id": cook, "name": "Chitra"})
    assert "refresh_token" not in switched
    assert (await ask(api, "POST", "/v1/devices/switch", bearer(cook), {"pin": told["pin"]}))[0] == 403
    async with database.connection() as conn:
        await conn.execute("delete from role_grant where person_id = $1", cook)
    status, refused = await ask(api, "POST", "/v1/devices/switch", of(tablet), {"pin": told["pin"]})
    assert (status, refused["code"]) == (401, "pin.wrong")


PIN = """
insert into pin (person_id, kitchen_id, hash, key_id) values ($1, $2, $3, $4)
on conflict (kitchen_id, person_id) do update set hash = excluded.hash, key_id = excluded.key_id
"""


async def give_pin(database: Database, secret: str, person_id: str, kitchen_id: str, pin: str) -> None:
    """A PIN as it was given while `secret` was the present data key."""
    keys = make_data_keys(secret)
    async with database.connection() as conn:
        hashed = blind_index(keys, f"{kitchen_id}{pin}", purpose="pin")
        await conn.execute(PIN, person_id, kitchen_id, hashed, keys.current_id)


async def test_a_pin_of_the_former_key_comes_under_the_present_one_when_it_is_used(
    api: aiohttp.ClientSession, manager: str, kitchen_id: str, new_person: NewPerson, database: Database
) -> None:
    cook = await new_person("Chitra", role="cook", scope=f"kitchen:{kitchen_id}")
    await give_pin(database, FORMER_DATA_SECRET, cook, kitchen_id, "271828")
    _, tablet = await pair(api, (await add_tablet(api, manager, kitchen_id))["code"])
    for _ in range(2):
        status, switched = await ask(api, "POST", "/v1/devices/switch", of(tablet), {"pin": "271828"})
        assert (status, switched["person"]["id"]) == (200, cook)
    present = make_data_keys(DATA_SECRET)
    async with database.connection() as conn:
        row = await conn.fetchrow("select hash, key_id from pin where person_id = $1", cook)
        taken = await devices.SET_PIN.run(
            conn, person_id=manager, kitchen_id=kitchen_id, hash=b"x", key_id=b"x", hashes=[row["hash"]]
        )
    assert row["key_id"] == present.current_id
    assert row["hash"] == blind_index(present, f"{kitchen_id}271828", purpose="pin")
    assert taken == 0  # under whichever key: nobody else of this kitchen gets this PIN


async def test_a_pin_whose_key_has_gone_is_drawn_anew(
    api: aiohttp.ClientSession, manager: str, kitchen_id: str, new_person: NewPerson, database: Database
) -> None:
    cook = await new_person("Chitra", role="cook", scope=f"kitchen:{kitchen_id}")
    await give_pin(database, "a data secret that has left the ring", cook, kitchen_id, "314159")
    _, tablet = await pair(api, (await add_tablet(api, manager, kitchen_id))["code"])
    status, refused = await ask(api, "POST", "/v1/devices/switch", of(tablet), {"pin": "314159"})
    assert (status, refused["code"]) == (401, "pin.wrong")
    assert "get a new one" in refused["detail"]
    _, told = await ask(api, "POST", "/v1/me/pin", bearer(cook), {"kitchen_id": kitchen_id})
    status, switched = await ask(api, "POST", "/v1/devices/switch", of(tablet), {"pin": told["pin"]})
    assert (status, switched["person"]["id"]) == (200, cook)
    wrong = f"{(int(told['pin']) + 1) % 10**6:06}"
    _, refused = await ask(api, "POST", "/v1/devices/switch", of(tablet), {"pin": wrong})
    assert "get a new one" not in refused["detail"]


async def test_nobody_gets_a_pin_for_a_kitchen_where_they_do_not_work(
    api: aiohttp.ClientSession, new_person: NewPerson, kitchen_id: str
) -> None:
    stranger = await new_person(role="cook", scope="kitchen:01a212fe-7b50-781e-9835-ff4eac515205")
    assert (await ask(api, "POST", "/v1/me/pin", bearer(stranger), {"kitchen_id": kitchen_id}))[0] == 404


async def test_a_key_is_exchanged_for_its_scopes_and_revoked_at_once(
    api: aiohttp.ClientSession, new_person: NewPerson
) -> None:
    admin = await new_person("Admin", role="administrator", scope="*")
    headers, body = bearer(admin) | keyed(), {"name": "Shop", "scopes": ["region:north"], "days": 30}
    status, made = await ask(api, "POST", "/v1/api-keys", headers, body)
    assert status == 201
    assert (await ask(api, "POST", "/v1/api-keys", headers, body))[1] == made
    key = made["api_key"]["key"]
    _, tokens = await ask(api, "POST", "/v1/auth/key", {}, {"key": key})
    _, me = await ask(api, "GET", "/v1/me", of(tokens))
    assert [(grant["role"], grant["scope"]) for grant in me["grants"]] == [("integrator", "region:north")]
    _, listed = await ask(api, "GET", "/v1/api-keys", bearer(admin))
    assert key not in str(listed)
    assert (await ask(api, "DELETE", f"/v1/api-keys/{made['api_key']['id']}", bearer(admin)))[0] == 200
    assert (await ask(api, "GET", "/v1/me", of(tokens)))[0] == 401
    assert (await ask(api, "POST", "/v1/auth/key", {}, {"key": key}))[1]["code"] == "key.wrong"


@pytest.mark.parametrize("key", ["", "hpk_", "hpk_" + "a" * 43, "hpr_" + "a" * 43, "x" * 47])
async def test_an_unknown_key_opens_nothing(api: aiohttp.ClientSession, key: str) -> None:
    status, body = await ask(api, "POST", "/v1/auth/key", {}, {"key": key})
    assert (status, body["code"]) == (401, "key.wrong")


async def test_neither_key_code_nor_pin_stands_in_the_database(
    api: aiohttp.ClientSession, manager: str, kitchen_id: str, new_person: NewPerson, database: Database
) -> None:
    admin = await new_person("Admin", role="administrator", scope="*")
    _, made = await ask(api, "POST", "/v1/api-keys", bearer(admin) | keyed(), {"name": "Shop", "scopes": ["*"]})
    cook = await new_person("Chitra", role="cook", scope=f"kitchen:{kitchen_id}")
    _, told = await ask(api, "POST", "/v1/me/pin", bearer(cook), {"kitchen_id": kitchen_id})
    device = await add_tablet(api, manager, kitchen_id)
    async with database.connection() as conn:
        for table in ("api_key", "device", "pin", "idempotency"):
            for secret in (made["api_key"]["key"], f'"{device["code"]}"', f'"{told["pin"]}"'):
                query = f'select count(*) from "{table}" as t where t::text like $1'
                assert await conn.fetchval(query, f"%{secret}%") == 0, table
