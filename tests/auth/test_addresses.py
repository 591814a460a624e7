"""Browsers behind the UI are counted one by one, by their own addresses; nobody else's word about an address counts."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.embedded.engines import Engines
from hub.embedded.lifeline import spawn
from hub.embedded.ports import LOOPBACK, answers, claim
from hub.embedded.process import Process, Recipe
from hub.embedded.readiness import Announcements
from hub.gateway.rate_limit import BY_ADDRESS, RateClass
from tests.journeys.conftest import unnoticed
from tests.realtime.two_hubs import hub_process
from tests.town import sequencing

UI_ADDRESS = "127.0.0.2"
# More than the limit of one address, with room for what comes free while a busy machine tries.
MANY = 3 * BY_ADDRESS[RateClass.OTP].limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The two ways to the hub: the UI in front of it, and its own door."""

    ui_url: str
    hub_url: str


def ui_process(hub_url: str, directory: Path) -> tuple[str, Process]:
    """A UI that calls the hub from an address of its own, not started."""
    port = claim(0, name="the UI")
    url, heard, log = f"http://{LOOPBACK}:{port}", Announcements(directory / "ui"), directory / "ui.log"
    environment = {
        "HOTPASS_UI_PORT": str(port), "HOTPASS_UI_URL": url, "HOTPASS_HUB_URL": hub_url,
        "HOTPASS_UI_SOURCE_ADDRESS": UI_ADDRESS, "HOTPASS_UI_STORAGE_SECRET": "s" * 40,
        "HOTPASS_READY_SOCKET": str(heard.path),
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "hub.cli", "serve", "ui"]
    recipe = Recipe(
        name="ui", log=log, prepare=heard.open_anew, release=heard.close,
        launch=partial(spawn, command, log=log, environment=environment),
        is_ready=lambda _: heard.count() >= 1 and answers(port),
    )  # fmt: skip
    return url, Process(recipe)


@pytest.fixture(scope="module")
async def doors(engines: Engines, module_database_url: str) -> AsyncIterator[Doors]:
    """A hub that trusts the UI's address alone, and that UI."""
    redis_url = engines.redis_url_of(11)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    with tempfile.TemporaryDirectory(prefix="doors-") as name:
        hub = hub_process(module_database_url, redis_url, Path(name), trusted_proxies=f'["{UI_ADDRESS}"]')
        url, ui = ui_process(hub.url, Path(name))
        async with sequencing(module_database_url, redis_url):
            try:
                with unnoticed():
                    await hub.process.start_async()
                    await ui.start_async()
                yield Doors(ui_url=url, hub_url=hub.url)
            finally:
                await ui.stop_async()
                await hub.process.stop_async()


async def is_limited(url: str, path: str, *, address: str, forwarded: Iterable[str]) -> bool:
    """Guess a code from an address of this host, once for each `X-Forwarded-For`, until there were too many tries."""
    body = {"otp_id": str(uuid4()), "code": "000000"}
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(url, connector=connector) as http:
        for told in forwarded:
            headers = {"X-Hotpass-Request": "1", "Origin": url, "Idempotency-Key": uuid4().hex}
            if told:
                headers["X-Forwarded-For"] = told
            async with http.post(path, json=body, headers=headers) as answer:
                if answer.status == 429:
                    return True
                assert answer.status == 401, await answer.text()
    return False


def forged(trusted: str = "") -> Iterator[str]:
    """Another address at each try; `trusted` stands behind it as if a proxy had passed it on."""
    return (f"198.51.{number // 250}.{number % 250}{trusted}" for number in range(MANY))


async def test_two_browsers_behind_the_ui_do_not_share_a_limit(doors: Doors) -> None:
    assert await is_limited(doors.ui_url, "/session/verify", address="127.0.0.11", forwarded=[""] * MANY)
    assert not await is_limited(doors.ui_url, "/session/verify", address="127.0.0.12", forwarded=[""])


@pytest.mark.parametrize("trusted", ["", f", {UI_ADDRESS}"], ids=["alone", "as if by the UI"])
async def test_a_browser_that_forges_its_address_is_counted_where_it_is(doors: Doors, trusted: str) -> None:
    assert await is_limited(doors.ui_url, "/session/verify", address="127.0.0.13", forwarded=forged(trusted))


async def test_a_forged_address_that_does_not_come_from_the_ui_is_ignored(doors: Doors) -> None:
    assert await is_limited(doors.hub_url, "/v1/auth/otp/verify", address="127.0.0.14", forwarded=forged())
