"""Security events: what is refused is seen by administrators, once for a flood."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from db.connection import Database
from tests.town import PATIENCE_SECONDS
from tests.users.test_me import ask

NewPerson = Callable[..., Awaitable[str]]
LIVE = "select count(*) from change where entity = 'security' and entity_id = $1 and 'administration' = any(topics)"


@pytest.fixture
async def admin(new_person: NewPerson) -> str:
    """An administrator of everything."""
    return await new_person("Admin", role="administrator", scope="*")


async def events(api: aiohttp.ClientSession, admin: str, kind: str, *, at_least: int) -> list[dict[str, Any]]:
    """The events of a kind, once there are so many: they are written beside the requests."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            _, body = await ask(api, "GET", "/v1/security", admin, params={"kind": kind})
            if len(body["events"]) >= at_least:
                return list(body["events"])


async def test_a_denial_is_seen_with_who_and_what(
    api: aiohttp.ClientSession, admin: str, new_person: NewPerson
) -> None:
    person_id = await new_person(role="cook", scope="*")
    assert (await ask(api, "GET", "/v1/users", person_id))[0] == 403
    [event] = [row for row in await events(api, admin, "access.denied", at_least=1) if row["person_id"] == person_id]
    assert (event["severity"], event["detail"], event["ip"]) == ("notice", "GET /v1/users", "127.0.0.1")


async def test_a_flood_of_forged_tokens_is_one_event(api: aiohttp.ClientSession, admin: str) -> None:
    async def forge(number: int) -> int:
        headers = {"Authorization": f"Bearer a.b.{number}"}
        async with api.get("/v1/me", headers=headers) as answer:
            return answer.status

    assert set(await asyncio.gather(*(forge(number) for number in range(50)))) == {401}
    assert len(await events(api, admin, "token.forged", at_least=1)) == 1


async def test_helping_oneself_is_an_alarm_in_the_live_topic(
    api: aiohttp.ClientSession, admin: str, hub_database: Database
) -> None:
    body = {"person_id": admin, "role": "manager", "scope": "*"}
    assert (await ask(api, "POST", "/v1/roles", admin, json=body))[0] == 403
    [event] = await events(api, admin, "role.escalation", at_least=1)
    assert event["severity"] == "alarm"
    async with hub_database.connection() as conn, asyncio.timeout(PATIENCE_SECONDS):
        while not await conn.fetchval("select count(*) from topic_log where topic = 'administration'"):
            pass


async def test_guessing_keys_raises_one_alert_that_administrators_see_live(
    api: aiohttp.ClientSession, admin: str, hub_database: Database
) -> None:
    async def guess(number: int) -> int:
        async with api.post("/v1/auth/key", json={"key": f"hpk_{number}"}) as answer:
            return answer.status

    assert {await guess(number) for number in range(25)} == {401}
    [alert] = [one for one in await events(api, admin, "alert.raised", at_least=1) if "FailedSignIns" in one["detail"]]
    assert (alert["severity"], alert["ip"]) == ("alarm", "127.0.0.1")
    async with hub_database.connection() as conn, asyncio.timeout(10):
        while not await conn.fetchval(LIVE, alert["id"]):
            pass


async def test_looking_at_many_people_raises_an_alert(
    api: aiohttp.ClientSession, admin: str, new_person: NewPerson
) -> None:
    for _ in range(20):
        path = f"/v1/users/{await new_person()}/reveal"
        assert (await ask(api, "POST", path, admin, json={"reason": "curiosity"}))[0] == 200
    told = await events(api, admin, "data.revealed", at_least=20)
    assert len({one["detail"] for one in told if one["person_id"] == admin}) == 20
    [alert] = [one for one in await events(api, admin, "alert.raised", at_least=1) if "DataAccess" in one["detail"]]
    assert alert["person_id"] == admin


async def test_only_administrators_of_everything_see_events(api: aiohttp.ClientSession, new_person: NewPerson) -> None:
    for role, scope in (("manager", "*"), ("administrator", "region:north")):
        assert (await ask(api, "GET", "/v1/security", await new_person(role=role, scope=scope)))[0] == 403


async def test_the_audit_tells_who_changed_what_and_why(
    api: aiohttp.ClientSession, admin: str, new_person: NewPerson
) -> None:
    person_id = await new_person()
    change = {"is_active": False, "reason": "fraud, seen twice"}
    assert (await ask(api, "PATCH", f"/v1/users/{person_id}", admin, json=change))[0] == 200
    _, body = await ask(api, "GET", "/v1/audit", admin, params={"entity_id": person_id, "limit": "1"})
    [row] = body["audit"]
    assert (row["event"], row["actor"], row["reason"]) == ("user.changed", admin, "fraud, seen twice")
    assert row["row"]["is_active"] is False
    _, older = await ask(api, "GET", "/v1/audit", admin, params={"entity_id": person_id, "after": body["next"]})
    assert [row["version"] for row in older["audit"]] == [1]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"after": "x1"}, {"after": "-1"}, {"sql": "1"}])
async def test_the_audit_takes_no_strange_questions(
    api: aiohttp.ClientSession, admin: str, query: dict[str, str]
) -> None:
    assert (await ask(api, "GET", "/v1/audit", admin, params=query))[0] == 400
