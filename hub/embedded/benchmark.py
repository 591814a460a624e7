"""`hotpass bench …`: engines, hub and sequencer of their own in a directory of their own, and the load on them.

This is the composition root of the benchmarks, with `contests`: the rooms of `hub.bench` know neither SQL nor the
processes of the house.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import uvloop

from db.connection import connect
from db.load import SEASON, TOUCH_ORDER
from db.migrate import migrate
from db.seed import seed_city
from hub.auth.sessions import open_sessions
from hub.bench.storm import bench_storm
from hub.bench.traffic import Ground
from hub.client.http import Api, open_session
from hub.demo.city import City
from hub.demo.founding import Site, found_city
from hub.demo.synthetic import Shape, synthetic_day
from hub.embedded.engines import Engines, start_engines
from hub.embedded.household import Household, processes
from hub.embedded.ports import claim
from hub.embedded.process import Process
from hub.embedded.readout import Readout
from hub.embedded.supervisor import Supervisor
from hub.gateway.nudge import NUDGE
from hub.gateway.tokens import KeyRing, issue_access, make_key_ring

TOWN = Shape(name="bench", kitchens=10, couriers=1, orders=200, hours=1.0, spread_metres=700.0, door_metres=750.0)
TOKEN_SECONDS = 3600
PLACED_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The house of a benchmark while it runs."""

    ground: Ground
    house: Household
    hub: Process
    supervisor: Supervisor


Bench = Callable[[Started], Awaitable[dict[str, Any]]]


def benchmark_storm(clients: int, readout: Readout) -> dict[str, Any]:
    """Run `hub.bench.storm` against a hub of one worker; with `is_well`."""
    return with_house(partial(storm_in, clients=clients, readout=readout), readout, hub_workers=1)


async def storm_in(started: Started, *, clients: int, readout: Readout) -> dict[str, Any]:
    """The storm in a running house."""
    return await bench_storm(
        started.ground, clients=clients, kill_worker=partial(_kill_worker, started.hub), tell=readout.say
    )


def _kill_worker(hub: Process) -> None:
    """kill -9 the process of a hub that holds its clients: of its children the one with the most open files."""
    max(psutil.Process(hub.process_id).children(), key=psutil.Process.num_fds).kill()


def with_house(bench: Bench, readout: Readout, *, hub_workers: int, orders: int = TOWN.orders) -> dict[str, Any]:
    """What `bench` finds in a house of its own: engines, schema, so many open orders, hub and sequencer."""
    with tempfile.TemporaryDirectory(prefix="hotpass-bench-") as name:
        directory = Path(name)
        with readout.step("engines"):
            engines = start_engines(directory / "engines")
        try:
            with readout.step("schema"):
                migrate(engines.database_url)
                asyncio.run(execute(engines.database_url, SEASON))
            house = Household(
                engines=engines, hub_port=claim(0, name="the hub"), ui_port=0, sockets=directory,
                hub_workers=hub_workers, sequencers=1,
            )  # fmt: skip
            return uvloop.run(_run(bench, house, readout, orders))
        finally:
            engines.stop()


async def execute(database_url: str, statements: Iterable[str]) -> None:
    """Run statements one by one, each outside a transaction."""
    connection = await connect(database_url, application="hotpass bench")
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _run(bench: Bench, house: Household, readout: Readout, orders: int) -> dict[str, Any]:
    city = found_city(synthetic_day(1, replace(TOWN, orders=orders)), site=Site(region="bench"))
    engines = house.engines
    keys = make_key_ring(engines.credentials.secret_key)
    token_for = _tokens(keys, await _found(engines, city))
    running = [process for process in processes(house) if process.name.startswith(("hub", "sequencer"))]
    supervisor = Supervisor(running, tell=readout.done)
    await supervisor.start()
    try:
        ground = Ground(
            hub_url=house.hub_url,
            database_url=engines.database_url,
            redis_url=engines.redis_url,
            nudge_channel=NUDGE,
            statement=TOUCH_ORDER,
            kitchen_ids=[kitchen.id for kitchen in city.kitchens],
            order_ids=await _place(house.hub_url, token_for, city, orders),
            tokens=[token_for(city.on_duty("manager")[0].id)],
            processes=_names(running, engines),
            directory=house.sockets,
        )
        return await bench(Started(ground=ground, house=house, hub=running[0], supervisor=supervisor))
    finally:
        await supervisor.stop()


def _names(running: Sequence[Process], engines: Engines) -> dict[str, list[int]]:
    """Name → process id, of everything that the load passes through."""
    everything = (*running, engines.postgres, engines.redis)
    return {one.name: [one.process_id] for one in everything if one.process_id is not None}


async def _found(engines: Engines, city: City) -> dict[str, str]:
    """Make the city and sign everybody in: session by person."""
    connection = await connect(engines.database_url, application="hotpass bench")
    try:
        async with connection.transaction():
            await seed_city(connection, city.as_rows())
            return await open_sessions(connection, [person.id for person in city.people], device="benchmark")
    finally:
        await connection.close()


def _tokens(keys: KeyRing, sessions: dict[str, str]) -> Callable[[str], str]:
    def token_for(person_id: str) -> str:
        token, _ = issue_access(
            keys, person_id=person_id, session_id=sessions[person_id], lifetime_seconds=TOKEN_SECONDS
        )
        return token

    return token_for


async def _place(hub_url: str, token_for: Callable[[str], str], city: City, orders: int) -> list[str]:
    """Orders of the customers in turn, from the kitchens in turn; their ids."""
    gate = asyncio.Semaphore(PLACED_AT_ONCE)
    async with open_session() as session:
        customers = city.on_duty("customer")

        async def place(number: int) -> str:
            person_id = customers[number % len(customers)].id
            kitchen = city.kitchens[number % len(city.kitchens)]
            item = next(item for item in city.items if item.kitchen_id == kitchen.id)
            api = Api(hub_url=hub_url, session=session, token=lambda: token_for(person_id))
            async with gate:
                placed = await api.place_order(
                    kitchen_id=kitchen.id,
                    items=[{"item_id": item.id, "quantity": 1}],
                    drop={"lat": kitchen.lat + 0.01, "lon": kitchen.lon},
                )
            return str(placed["order"]["id"])

        return await asyncio.gather(*(place(number) for number in range(orders)))
