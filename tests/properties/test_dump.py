"""A stolen dump and the log tell no secret: canaries are planted through every door, then looked for in both."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from hub.embedded.postgres import _binaries
from tests.auth.conftest import bearer, keyed

NewPerson = Callable[..., Awaitable[str]]
PHONE = "+919841234567"
LINE, NOTES = "77 Canary Street, third floor", "the canary sings at the back door"
PASSWORD = "canary password 4711"


async def ask(
    api: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], body: Any = None
) -> dict[str, Any]:
    async with api.request(method, path, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
        return dict(await answer.json())


async def plant(api: aiohttp.ClientSession, admin: str) -> list[str]:
    """Sign in by phone, keep an address, set a password, make a key; everything that must stay secret."""
    asked = await ask(api, "POST", "/v1/auth/otp", {}, {"phone": PHONE})
    code = (await ask(api, "GET", "/v1/development/inbox", {}))["messages"][0]["text"][:6]
    tokens = await ask(api, "POST", "/v1/auth/otp/verify", {}, {"otp_id": asked["otp_id"], "code": code})
    after = await ask(api, "POST", "/v1/auth/refresh", {}, {"refresh_token": tokens["refresh_token"]})
    me = {"Authorization": f"Bearer {after['access_token']}"}
    home = {"label": "Home", "line": LINE, "notes": NOTES, "lat": 19.1, "lon": 72.8}
    await ask(api, "POST", "/v1/me/addresses", me | keyed(), home)
    person_id = tokens["person"]["id"]
    login = {"login": "canary.login", "password": PASSWORD}
    await ask(api, "PUT", f"/v1/users/{person_id}/password", bearer(admin), login)
    entered = await ask(api, "POST", "/v1/auth/password", {}, login)
    revealed = await ask(api, "POST", f"/v1/users/{person_id}/reveal", bearer(admin), {"reason": "to show it"})
    assert (revealed["phone"], revealed["addresses"][0]["line"]) == (PHONE, LINE)
    made = await ask(api, "POST", "/v1/api-keys", bearer(admin) | keyed(), {"name": "Shop", "scopes": ["*"]})
    block = {
        "kind": "phone",
        "value": PHONE,
        "effect": "review",
        "reason": "to show it",
        "expires_at": "2027-01-01T00:00:00Z",
    }
    await ask(api, "POST", "/v1/blocks", bearer(admin) | keyed(), block)
    found = [tokens["refresh_token"], after["refresh_token"], entered["refresh_token"], made["api_key"]["key"]]
    return [PHONE, PHONE[1:], PHONE[3:], LINE, NOTES, PASSWORD, after["access_token"], entered["access_token"], *found]


def dump(url: str) -> str:
    """The whole database as anybody with its password can read it."""
    done = subprocess.run([_binaries() / "pg_dump", "--inserts", url], capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


async def test_neither_dump_nor_log_tells_a_secret(
    api: aiohttp.ClientSession, new_person: NewPerson, module_database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = await plant(api, await new_person("Admin", role="administrator", scope="*"))
    told = dump(module_database_url)
    assert "canary.login" in told
    assert [secret for secret in secrets if secret in told] == []
    logged = capfd.readouterr().err
    assert "answered" in logged
    assert [secret for secret in secrets if secret in logged] == []
