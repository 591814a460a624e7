"""A whole Hotpass of its own processes, a small city without inhabitants, and a real browser in front of it.

house      the running processes, the keys and the city (module)
browser    Chromium (module)
visit      opens a screen as a person of the city, in a browser profile of its own (function)
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from db.connection import connect
from db.migrate import migrate
from db.seed import seed_city, set_clock
from hub.client.http import Api, open_session
from hub.demo.city import City
from hub.demo.founding import Site, found_city
from hub.demo.synthetic import Shape, synthetic_day
from hub.embedded.engines import start_engines
from hub.embedded.household import Household, processes
from hub.embedded.ports import claim
from hub.embedded.process import Process
from hub.embedded.supervisor import Supervisor
from hub.gateway.tokens import issue_demo_link, make_key_ring
from tests.signing import sign_in, token_for

PRODUCT_RATE = 60.0
ColorScheme = Literal["dark", "light"]
SMALL = Shape(name="journey", kitchens=1, couriers=1, orders=1, hours=8.0, spread_metres=500.0, door_metres=500.0)
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE_MILLISECONDS = (
    90_000  # a busy machine: 30 s were not enough at a load of 20; nothing waits so long when all is well
)
expect.set_options(timeout=PATIENCE_MILLISECONDS)
# GitHub's and our containers run as root, where Chromium has no sandbox
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
SIZES = {"kitchen": (1280, 800), "rider": (390, 844), "operations": (1440, 900), "track": (390, 844)}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What runs, and who lives there."""

    hub_url: str
    ui_url: str
    database_url: str
    secret: str
    city: City
    processes: tuple[Process, ...]

    def access_token(self, person_id: str) -> str:
        """A token of a person of the city."""
        return token_for(person_id, secret=self.secret)

    def link(self, duty: str, home: str) -> str:
        """A link that signs the first person of a duty in and leads to `home`."""
        token = issue_demo_link(make_key_ring(self.secret), person_id=self.city.on_duty(duty)[0].id, home=home)
        return f"{self.ui_url}/enter?link={token}"

    def kill(self, name: str) -> None:
        """Kill one of the processes, as a power cut does."""
        self._process(name).kill()

    async def start(self, name: str) -> None:
        """Start a killed one again; returns once it is ready."""
        with unnoticed():
            await self._process(name).start_async()

    def _process(self, name: str) -> Process:
        return next(one for one in self.processes if one.name == name)


@contextmanager
def unnoticed() -> Iterator[None]:
    """Processes started here do not notice that a test runs: NiceGUI behaves otherwise in one."""
    name = "PYTEST_CURRENT_TEST"
    value = os.environ.pop(name, "")
    yield
    os.environ[name] = value


@pytest.fixture(scope="module")
async def house(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The processes of a household: hub, sequencer, dispatcher, jobs, UI."""
    engines = start_engines(shutil.copytree(made_once, tmp_path_factory.mktemp("journey") / "engines"))
    try:
        await asyncio.to_thread(migrate, engines.database_url)
        city = found_city(synthetic_day(7, SMALL), site=Site(region="journey"), seed=7)
        connection = await connect(engines.database_url, application="journeys")
        async with connection.transaction():
            await seed_city(connection, city.as_rows())
            await set_clock(connection, rate=PRODUCT_RATE)
            await sign_in(connection, *(person.id for person in city.people))
        await connection.close()
        with tempfile.TemporaryDirectory(prefix="hotpass-") as sockets:
            household = Household(
                engines=engines, hub_port=claim(0, name="hub"), ui_port=claim(0, name="ui"), sockets=Path(sockets),
                hub_workers=1, sequencers=1,
            )  # fmt: skip
            running = tuple(processes(household))
            supervisor = Supervisor(running, tell=lambda name, what: None)
            with unnoticed():
                await supervisor.start()
            yield House(
                hub_url=household.hub_url, ui_url=household.ui_url, city=city, processes=running,
                database_url=engines.database_url, secret=engines.credentials.secret_key,
            )  # fmt: skip
            await supervisor.stop()
    finally:
        engines.stop()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all journeys of a module."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it, or name it in CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def visit(browser: Browser, house: House) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """`visit("kitchen", url)` opens a screen in the size it is made for; a script error fails the test.

    `scheme` is what the device wishes; a kitchen board is dark unless its address says otherwise.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def open_screen(screen: str, url: str, *, scheme: ColorScheme = "light") -> Page:
        width, height = SIZES[screen]
        kitchen = house.city.kitchens[0]
        context = await browser.new_context(
            viewport={"width": width, "height": height}, permissions=["geolocation"], color_scheme=scheme,
            geolocation={"latitude": kitchen.lat, "longitude": kitchen.lon},
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(f"{screen}: {error}"))
        await page.goto(url)
        await page.locator('.link-bar[data-link="live"]').wait_for()
        return page

    yield open_screen
    for context in contexts:
        await context.close()
    assert errors == []


@pytest.fixture
async def customer(house: House) -> AsyncIterator[Api]:
    """The first customer, over HTTP."""
    person = house.city.on_duty("customer")[0]
    async with open_session() as session:
        yield Api(hub_url=house.hub_url, session=session, token=lambda: house.access_token(person.id))
