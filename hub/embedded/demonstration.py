"""`hotpass demo`: one machine, one command, one Ctrl-C.

    engines ─► schema ─► city ─► hub, sequencers, dispatcher, jobs, ui ─► the simulated city ─► report

This is the composition root of the embedded profile, as `hub.app` is that of a process: it alone joins engines, schema
and city. The simulated city knows nothing of it and meets the hub over HTTP and sockets only.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from db.connection import connect
from db.migrate import migrate
from db.seed import seed_city, set_clock
from hub.auth.sessions import open_sessions
from hub.demo.city import City
from hub.demo.day import Day
from hub.demo.founding import Site, found_city
from hub.demo.run import Progress, Run, run_city
from hub.demo.synthetic import DEMO_TOWN, synthetic_day
from hub.embedded.engines import Engines, start_engines
from hub.embedded.errors import EmbeddedError
from hub.embedded.household import PREFERRED_HUB_PORT, PREFERRED_UI_PORT, Household, processes
from hub.embedded.ports import claim, claim_preferred
from hub.embedded.readout import Readout
from hub.embedded.supervisor import Supervisor
from hub.gateway.key_file import follow, read_key_file, rings_at
from hub.gateway.tokens import KeyRing, issue_access, issue_demo_link

ACTOR_TOKEN_SECONDS = 3600
ACTORS = "simulated city"
START_SECONDS = 60.0
FENCE_SECONDS = 60.0  # from the end of the time to the report
KILLED = 130  # the shell's code for a command ended by Ctrl-C


class CityStuck(EmbeddedError):
    """The city came to no end."""

    def __init__(self, logs: Path) -> None:
        super().__init__(
            f"The simulated city did not come to an end {FENCE_SECONDS:.0f} s after its time: some process no longer "
            f"answers. The logs in {logs} say which."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the demo shall show. `day` is a recorded day; without it an endless, steady one is invented."""

    directory: Path
    for_seconds: float | None = None
    speed: float = 60.0
    orders_per_minute: float = 60.0  # of the wall clock
    seed: int = 1
    hub_port: int | None = None
    ui_port: int | None = None
    hub_workers: int = 2
    day: Day | None = None


def demonstrate(wish: Wish, readout: Readout) -> dict[str, Any]:
    """Run until the time is up or Ctrl-C; the report, with `is_well`. Raises `EmbeddedError`; then nothing runs.

    Call it on the main thread: everything that it starts dies with that thread.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with readout.step("engines"):
        engines = start_engines(wish.directory)
    try:
        with readout.step("schema"):
            migrate(engines.database_url)
        with tempfile.TemporaryDirectory(prefix="hotpass-") as sockets:
            return uvloop.run(_live(wish, _house(wish, engines, Path(sockets)), readout))
    finally:
        readout.end()
        engines.stop()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _house(wish: Wish, engines: Engines, sockets: Path) -> Household:
    return Household(
        engines=engines,
        hub_port=_port(wish.hub_port, PREFERRED_HUB_PORT, "the hub"),
        ui_port=_port(wish.ui_port, PREFERRED_UI_PORT, "the UI"),
        sockets=sockets,
        hub_workers=wish.hub_workers,
    )


def _port(wished: int | None, preferred: int, name: str) -> int:
    return claim_preferred(preferred) if wished is None else claim(wished, name=name)


async def _live(wish: Wish, house: Household, readout: Readout) -> dict[str, Any]:
    day, city = _town(wish)
    with readout.step("city"):
        sessions = await _found(house.engines, city, wish.speed)
    supervisor = Supervisor(processes(house), tell=readout.done)
    over = _on_signals(lambda: _kill(supervisor, house.engines))
    try:
        if not await _before(over.wait(), supervisor.start()):
            return {"is_well": False, "stopped": "before all was ready"}
        key_file = house.engines.key_file
        rings = rings_at(read_key_file(key_file), datetime.now(UTC))
        _invite(readout, house, rings.signing, city)
        beside = [
            asyncio.create_task(supervisor.watch(house.engines.postgres, house.engines.redis)),
            asyncio.create_task(follow(key_file, rings, tell=lambda *_, **__: None)),
        ]
        try:
            report = await _city(wish, house, _tokens(rings.signing, sessions), day, city, readout, over)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        return report | {"restarts": supervisor.restarts}
    finally:
        readout.end()
        readout.say("Stopping …")
        await supervisor.stop()


def _town(wish: Wish) -> tuple[Day, City]:
    if wish.day is not None:
        return wish.day, found_city(wish.day, site=Site(region="replay"), seed=wish.seed)
    product_hours = wish.orders_per_minute / wish.speed * 60 * DEMO_TOWN.hours
    day = synthetic_day(wish.seed, replace(DEMO_TOWN, orders=max(1, round(product_hours))))
    return day, found_city(day, site=Site(region=f"demo-{wish.seed}", kitchen_capacity_orders=20), seed=wish.seed)


async def _found(engines: Engines, city: City, speed: float) -> dict[str, str]:
    """Make the city unless it is there, let the product clock run at `speed`, sign everybody in: session by person."""
    connection = await connect(engines.database_url, application="hotpass demo")
    try:
        async with connection.transaction():
            await seed_city(connection, city.as_rows())
            await set_clock(connection, rate=speed)
            return await open_sessions(connection, [person.id for person in city.people], device=ACTORS)
    finally:
        await connection.close()


def _on_signals(kill: Callable[[], None]) -> asyncio.Event:
    """An event that the first Ctrl-C or SIGTERM sets; the second one kills."""
    over = asyncio.Event()

    def heard() -> None:
        if over.is_set():
            kill()
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heard)
    return over


def _kill(supervisor: Supervisor, engines: Engines) -> None:
    supervisor.kill()
    engines.postgres.kill()
    engines.redis.kill()
    os._exit(KILLED)


async def _before(end: Awaitable[Any], work: Awaitable[Any]) -> bool:
    """Whether `work` ended before `end`; else it is cancelled. Its exceptions are passed on."""
    task, signalled = asyncio.ensure_future(work), asyncio.ensure_future(end)
    try:
        await asyncio.wait({task, signalled}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        await task
        return True
    finally:
        for one in (task, signalled):
            one.cancel()
        await asyncio.gather(task, signalled, return_exceptions=True)


def _invite(readout: Readout, house: Household, keys: KeyRing, city: City) -> None:
    """The addresses, and a link for each role that signs its visitor in, once."""
    readout.say()
    readout.links({"hub": f"{house.hub_url}/v1/openapi.json", "ui": house.ui_url} | _links(house.ui_url, keys, city))
    readout.say("\nOne Ctrl-C stops everything; the data stays.\n")


def _links(ui_url: str, keys: KeyRing, city: City) -> dict[str, str]:
    kitchen = f"/kitchen/{city.kitchens[0].id}"
    homes = {
        "customer": "/",
        "rider": "/rider",
        "cook": kitchen,
        "expediter": f"{kitchen}?mode=expediter",
        "manager": f"/operations/{city.region}",
    }
    return {
        duty: f"{ui_url}/demo/{issue_demo_link(keys, person_id=people[0].id, home=home)}"
        for duty, home in homes.items()
        if (people := city.on_duty(duty))
    }


def _tokens(keys: KeyRing, sessions: dict[str, str]) -> Callable[[str], str]:
    """Mints the access tokens of the city's people."""

    def token_for(person_id: str) -> str:
        token, _ = issue_access(
            keys, person_id=person_id, session_id=sessions[person_id], lifetime_seconds=ACTOR_TOKEN_SECONDS
        )
        return token

    return token_for


async def _city(
    wish: Wish,
    house: Household,
    token_for: Callable[[str], str],
    day: Day,
    city: City,
    readout: Readout,
    over: asyncio.Event,
) -> dict[str, Any]:
    """Live the day until it ends, the time is up or `over` is set. A whole day is well when all its orders ended."""
    run = Run(
        hub_url=house.hub_url,
        token_for=token_for,
        for_seconds=wish.for_seconds,
        repeat=wish.day is None,
        seed=wish.seed,
        over=over,
    )
    living = asyncio.create_task(run_city(day, city, run, on_progress=lambda progress: readout.live(_line(progress))))
    if not await _before(_is_late(wish, over), living):
        raise CityStuck(house.engines.directory)
    report = living.result()
    is_whole = wish.day is not None and wish.for_seconds is None and not over.is_set()
    if is_whole and report.orders_unfinished:
        readout.fail(f"The day is over, and {report.orders_unfinished} of its orders came to no end: {report.orders}")
    is_well = report.is_clean and (report.orders_placed > 0 or over.is_set())
    return report.as_json() | {"is_well": is_well and not (is_whole and report.orders_unfinished)}


async def _is_late(wish: Wish, over: asyncio.Event) -> None:
    """Ends when the city should long have drawn its fence."""
    seconds = None if wish.for_seconds is None else wish.for_seconds + START_SECONDS
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), seconds)
    await asyncio.sleep(FENCE_SECONDS)


def _line(progress: Progress) -> str:
    delay = progress.commit_to_client_ms or {}
    screen = " ".join(f"{name} {value:.0f} ms" for name, value in delay.items() if name in ("p50", "p99"))
    return (
        f"{progress.product_time:%a %H:%M} · orders: {progress.placed} placed, {progress.open} open, "
        f"{progress.delivered} delivered · commit → screen {screen or '–'} · lost {progress.lost}"
    )
