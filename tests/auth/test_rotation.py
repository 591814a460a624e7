"""`hotpass keys` against two running hubs: nothing is restarted, nobody is signed out, nothing becomes unreadable."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from redis.asyncio import Redis

from hub.auth.sessions import create_session
from hub.embedded.engines import Engines
from hub.gateway.key_file import new_key_file, read_key_file, write_key_file
from tests.realtime.two_hubs import Pair, pair_of_hubs, token_of
from tests.town import DATA_SECRET, SECRET, person

Json = dict[str, Any]
PATIENCE_SECONDS = 120.0  # a busy machine; whole processes are started in it
HOME = {"label": "Home", "line": "5 Canary Lane", "notes": "ring twice", "lat": 12.97, "lon": 77.6}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that both hubs follow."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    write_key_file(path, new_key_file((SECRET,), (DATA_SECRET,), datetime.now(UTC)))
    return path


@pytest.fixture(scope="module")
async def pair(engines: Engines, module_database_url: str, key_file: Path) -> AsyncIterator[Pair]:
    """Two hubs with their keys in a file."""
    redis_url = engines.redis_url_of(13)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(module_database_url, redis_url, key_file=key_file) as both:
        yield both


@pytest.fixture
def environment(engines: Engines, module_database_url: str, key_file: Path) -> dict[str, str]:
    """What a process beside the hubs is started with."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HOTPASS_")}
    return clean | {
        "HOTPASS_KEY_FILE": str(key_file),
        "HOTPASS_DATABASE_URL": module_database_url,
        "HOTPASS_REDIS_URL": engines.redis_url_of(13),
    }


async def hotpass(environment: dict[str, str], *words: str) -> tuple[int, Json]:
    """Run a command: its exit code and its answer; it never tells a key."""
    command = [sys.executable, "-P", "-m", "hub.cli", *words, "--json"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    told, complained = await process.communicate()
    file = read_key_file(Path(environment["HOTPASS_KEY_FILE"]))
    assert not any(key.secret.encode() in told + complained for key in (*file.signing, *file.data))
    return process.returncode or 0, json.loads(told)


@asynccontextmanager
async def jobs(environment: dict[str, str]) -> AsyncIterator[None]:
    """The clock's own work, in a process."""
    command = [sys.executable, "-P", "-m", "hub.cli", "serve", "jobs"]
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=nowhere, stderr=nowhere)
    yield
    process.terminate()
    await process.wait()


async def until(fact: Callable[[], Awaitable[Any]]) -> Any:
    """The first truthy answer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (value := await fact()):
            await asyncio.sleep(0)
        return value


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of both hubs."""
    async with aiohttp.ClientSession() as session:
        yield session


async def statuses(http: aiohttp.ClientSession, pair: Pair, token: str) -> list[int]:
    """What each hub answers to a token."""
    found = []
    for hub in pair.hubs:
        async with http.get(f"{hub.url}/v1/me", headers={"Authorization": f"Bearer {token}"}) as answer:
            found.append(answer.status)
    return found


async def test_a_rotated_signing_key_signs_nobody_out_until_the_old_one_is_dropped(
    pair: Pair, http: aiohttp.ClientSession, environment: dict[str, str]
) -> None:
    person_id = await person(pair.conn, "Asha", ("customer", "own"))
    old = token_of(person_id)
    _, refresh_token = await create_session(pair.conn, person_id, "phone")
    assert await statuses(http, pair, old) == [200, 200]
    code, made = await hotpass(environment, "keys", "rotate", "signing", "--after", "3s")
    assert (code, made["is_well"]) == (0, True)

    async def newest() -> str | None:
        nonlocal refresh_token
        async with http.post(f"{pair.hubs[0].url}/v1/auth/refresh", json={"refresh_token": refresh_token}) as answer:
            body = await answer.json()
        refresh_token = body["refresh_token"]
        is_new = jwt.get_unverified_header(body["access_token"])["kid"] == made["id"]
        return str(body["access_token"]) if is_new else None

    new = await until(newest)
    assert await statuses(http, pair, new) == [200, 200]
    assert await statuses(http, pair, old) == [200, 200]
    [former] = [key for key in (await hotpass(environment, "keys", "list"))[1]["keys"] if "verifies" in key["state"]]
    assert (await hotpass(environment, "keys", "drop", "signing", made["id"]))[0] == 2
    assert (await hotpass(environment, "keys", "drop", "signing", former["id"]))[0] == 0

    async def is_refused() -> bool:
        return await statuses(http, pair, old) == [401, 401]

    await until(is_refused)
    assert await statuses(http, pair, new) == [200, 200]


async def test_a_rotated_data_key_seals_anew_and_is_dropped_when_nothing_needs_it(
    pair: Pair, http: aiohttp.ClientSession, environment: dict[str, str]
) -> None:
    person_id = await person(pair.conn, "Meera", ("customer", "own"))
    _, refresh_token = await create_session(pair.conn, person_id, "phone")
    async with http.post(f"{pair.hubs[0].url}/v1/auth/refresh", json={"refresh_token": refresh_token}) as answer:
        who = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    headers = who | {"Idempotency-Key": person_id}
    async with http.post(f"{pair.hubs[0].url}/v1/me/addresses", json=HOME, headers=headers) as answer:
        assert answer.status == 201, await answer.text()

    async def lines() -> list[str]:
        found = []
        for hub in pair.hubs:
            async with http.get(f"{hub.url}/v1/me/addresses", headers=who) as answer:
                found += [address["line"] for address in (await answer.json())["addresses"]]
        return found

    async def data_keys() -> dict[str, Json]:
        keys = (await hotpass(environment, "keys", "list"))[1]["keys"]
        return {key["state"].partition(":")[0]: key for key in keys if key["kind"] == "data"}

    assert (await hotpass(environment, "keys", "rotate", "data", "--after", "2s"))[0] == 0
    former = await until(lambda: _former(data_keys))
    assert former["rows"] == {"addresses": 1}
    assert await lines() == [HOME["line"]] * 2
    refused = await hotpass(environment, "keys", "drop", "data", former["id"])
    assert refused[0] == 1 and "1 addresses" in refused[1]["error"]
    async with jobs(environment):
        await until(lambda: _is_needless(data_keys))
    assert (await hotpass(environment, "keys", "drop", "data", former["id"]))[0] == 0
    assert list(await data_keys()) == ["present"]
    assert await lines() == [HOME["line"]] * 2


async def _former(data_keys: Callable[[], Awaitable[dict[str, Json]]]) -> Json | None:
    return next((key for state, key in (await data_keys()).items() if state.startswith("opens ")), None)


async def _is_needless(data_keys: Callable[[], Awaitable[dict[str, Json]]]) -> bool:
    return "opens nothing any more" in await data_keys()


async def test_keys_in_variables_are_told_what_to_do(environment: dict[str, str]) -> None:
    variables = {"HOTPASS_SECRET_KEY": SECRET, "HOTPASS_DATA_KEY": DATA_SECRET}
    clean = {name: value for name, value in environment.items() if name != "HOTPASS_KEY_FILE"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "hub.cli", "keys", "rotate", "signing", env=clean | variables,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, complained = await process.communicate()
    assert process.returncode == 1 and told == b""
    for step in (b"HOTPASS_KEY_FILE", b"hotpass keys adopt", b"HOTPASS_PREVIOUS_SECRET_KEYS", b"restart hub and jobs"):
        assert step in complained
    assert SECRET.encode() not in complained


async def test_keys_in_variables_move_to_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    variables = {"HOTPASS_SECRET_KEY": SECRET, "HOTPASS_DATA_KEY": DATA_SECRET}
    path = tmp_path / "adopted.json"
    adopting = environment | variables | {"HOTPASS_KEY_FILE": str(path)}
    assert (await hotpass(adopting, "keys", "adopt"))[0] == 0
    assert [key.secret for key in read_key_file(path).signing] == [SECRET]
    assert (await hotpass(adopting, "keys", "adopt"))[0] == 1
