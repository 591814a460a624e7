"""A city lives on while parts of the house are killed: no order vanishes, no change is lost, repeated or reordered."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from db.connection import connect
from db.migrate import migrate
from db.seed import seed_city, set_clock
from hub.demo.city import City
from hub.demo.day import Day
from hub.demo.founding import Site, found_city
from hub.demo.run import Progress, Run, run_city
from hub.demo.synthetic import Shape, synthetic_day
from hub.embedded.engines import Engines, start_engines
from hub.embedded.household import Household, processes
from hub.embedded.ports import claim
from hub.embedded.process import Process
from hub.embedded.supervisor import Supervisor
from tests.signing import sign_in, token_for

RATE = 180.0
HALF_AN_HOUR = Shape(
    name="faults", kitchens=2, couriers=6, orders=8, hours=0.5, spread_metres=300.0, door_metres=400.0, is_steady=True
)
PATIENCE_SECONDS = 400.0  # a busy machine; all is well after a tenth of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A running house with its city, supervised: what is killed comes back."""

    hub_url: str
    day: Day
    city: City
    secret: str
    parts: dict[str, Process]

    def token_for(self, person_id: str) -> str:
        return token_for(person_id, secret=self.secret)


def whole_shift(day: Day) -> Day:
    """The day with couriers who stay until everything is delivered."""
    couriers = tuple(msgspec.structs.replace(one, off_seconds=24 * 3600) for one in day.couriers)
    return Day(terms=day.terms, kitchens=day.kitchens, couriers=couriers, orders=day.orders)


async def seed(engines: Engines, city: City) -> None:
    connection = await connect(engines.database_url, application="faults")
    async with connection.transaction():
        await seed_city(connection, city.as_rows())
        await set_clock(connection, rate=RATE)
        await sign_in(connection, *(person.id for person in city.people))
    await connection.close()


@pytest.fixture
async def town(made_once: Path, tmp_path: Path) -> AsyncIterator[Town]:
    engines = start_engines(shutil.copytree(made_once, tmp_path / "engines"))
    try:
        await asyncio.to_thread(migrate, engines.database_url)
        day = whole_shift(synthetic_day(3, HALF_AN_HOUR))
        city = found_city(day, site=Site(region="faults"))
        await seed(engines, city)
        with tempfile.TemporaryDirectory(prefix="hotpass-") as sockets:
            house = Household(engines=engines, hub_port=claim(0, name="hub"), ui_port=0, sockets=Path(sockets))
            running = [process for process in processes(house) if process.name != "ui"]
            supervisor = Supervisor(running, tell=lambda name, what: None)
            await supervisor.start()
            watch = asyncio.create_task(supervisor.watch(engines.redis))
            parts = {process.name: process for process in (*running, engines.redis)}
            secret = engines.credentials.secret_key
            yield Town(hub_url=house.hub_url, day=day, city=city, secret=secret, parts=parts)
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await supervisor.stop()
    finally:
        engines.stop()


class Killer:
    """Kills one part after the other, each once so many orders were placed."""

    def __init__(self, town: Town, plan: dict[int, str]) -> None:
        self._town = town
        self._plan = plan

    def look(self, progress: Progress) -> None:
        """Called with the state of the run, twice a second."""
        for placed in [placed for placed in self._plan if placed <= progress.placed]:
            self._town.parts[self._plan.pop(placed)].kill()

    @property
    def is_done(self) -> bool:
        return not self._plan


async def test_every_order_is_delivered_and_nothing_lost_whatever_is_killed(town: Town) -> None:
    killer = Killer(town, {2: "sequencer 1", 4: "Valkey", 5: "hub", 6: "sequencer 2", 7: "Valkey", 8: "jobs"})
    run = Run(hub_url=town.hub_url, token_for=town.token_for, over=asyncio.Event())
    async with asyncio.timeout(PATIENCE_SECONDS):
        report = await run_city(town.day, town.city, run, on_progress=killer.look)
    assert killer.is_done
    assert report.as_json()["orders"] == {"delivered": 8}
    assert (report.lost, report.duplicated, report.reordered, report.version_falls) == (0, 0, 0, 0)
    assert report.is_clean
    assert report.changes_received == report.changes_committed * run.observers
