"""A day lived from the first order to the final fence, and the report of it.

Customers, cooks and riders act through the hub; the observers beside them count. `until` all orders have ended, or for
so many real seconds, or until the day's end; then the actors go home, the fence is drawn, and only then is counted.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.client.clock import ProductClock
from hub.client.http import Api, open_session
from hub.demo.accounts import Accounts
from hub.demo.actors.cooks import cooks_of
from hub.demo.actors.customers import Customers
from hub.demo.actors.riders import couriers_of
from hub.demo.city import City
from hub.demo.day import Day
from hub.demo.observers import Observers
from hub.demo.town import LIVELY, Temper, Town

PROGRESS_SECONDS = 0.5
# Product time between the start of the run and the day's first second: shifts begin, sockets are opened.
LEAD_IN_SECONDS = 30.0
READY_PATIENCE_SECONDS = 60.0
RECENT_SAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is asked for. `for_seconds` real seconds, or None: until every order has ended or the day is over."""

    hub_url: str
    token_for: Callable[[str], str]
    for_seconds: float | None = None
    repeat: bool = False
    observers: int = 2
    seed: int = 0
    temper: Temper | None = None  # lively when the day repeats, calm otherwise
    over: asyncio.Event | None = None  # set from outside: stop now, with a fence and a report


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands, for people to look at."""

    product_time: datetime
    placed: int
    delivered: int
    open: int
    changes_received: int
    lost: int
    commit_to_client_ms: dict[str, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run ends with. Counted by the independent observers and, beside them, by the actors' own sockets."""

    orders_placed: int
    orders_delivered: int
    orders_unfinished: int
    changes_committed: int
    changes_received: int
    lost: int
    duplicated: int
    reordered: int
    version_falls: int
    mixed_epochs: int
    after_revocation: int
    mismatched: int
    commit_to_client_ms: dict[str, float] | None
    observers: dict[str, Any]
    orders: dict[str, int]
    click_to_door_minutes: dict[str, float] | None
    ready_to_door_minutes: dict[str, float] | None
    floor_minutes: float
    troubles: dict[str, int]
    real_seconds: float
    product_minutes: float
    rate: float

    @property
    def is_clean(self) -> bool:
        """True when the hub kept every promise."""
        breaches = (self.lost, self.duplicated, self.reordered, self.version_falls, self.mixed_epochs)
        return not any((*breaches, self.after_revocation, self.mismatched, self.observers["refused"]))

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {name: getattr(self, name) for name in self.__slots__} | {"is_clean": self.is_clean}


async def run_city(
    day: Day,
    city: City,
    run: Run,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    committed: Callable[[], Awaitable[int]] | None = None,
) -> Report:
    """Live the day in a city that has been seeded; needs the whole house running. Raises `Unreachable`, `ApiError`.

    `committed()` may count the changes in the database; without it they are counted by the heads of the topics.
    """
    begun = time.monotonic()
    async with _town(day, city, run) as town, _observers(city, run) as observers:
        before = await committed() if committed else 0
        started = town.clock.now()
        reporter = asyncio.create_task(_tell(town, observers, on_progress)) if on_progress else None
        try:
            await _live_the_day(town, run)
        finally:
            if reporter is not None and not reporter.done():
                reporter.cancel()
        if reporter is not None and not reporter.cancelled() and reporter.done():
            reporter.result()  # it never ends by itself: what it raised is the caller's fault, and told
        await observers.fence()
        after = await committed() - before if committed else observers.committed()
        product_minutes = (town.clock.now() - started).total_seconds() / 60
        return _report(town, observers, after, real_seconds=time.monotonic() - begun, product_minutes=product_minutes)


@asynccontextmanager
async def _town(day: Day, city: City, run: Run) -> AsyncIterator[Town]:
    """The shared context of the actors, with the clock set by the hub."""
    async with open_session() as session:
        told = await Api(hub_url=run.hub_url, session=session, patience_seconds=READY_PATIENCE_SECONDS).clock()
        clock = ProductClock()
        clock.tell(told["at"], told["rate"])
        yield Town(
            hub_url=run.hub_url,
            city=city,
            day=day,
            day_start=clock.now() + timedelta(seconds=LEAD_IN_SECONDS * max(1.0, clock.rate / 10)),
            clock=clock,
            session=session,
            token_for=run.token_for,
            temper=run.temper or (LIVELY if run.repeat else Temper()),
            chance=random.Random(run.seed),
            run_key=secrets.token_hex(4),
        )


def _observers(city: City, run: Run) -> Observers:
    """Observers of everything that a manager of the region may see."""
    manager = city.on_duty("manager")[0]
    topics = (f"operations:{city.region}", *(f"kitchen:{kitchen.id}" for kitchen in city.kitchens))
    return Observers(run.hub_url, lambda: run.token_for(manager.id), topics, copies=run.observers)


async def _live_the_day(town: Town, run: Run) -> None:
    """Let everybody act until the customers are done, the time is up or the day is over."""
    cooks = [asyncio.create_task(cook.work()) for cook in cooks_of(town)]
    riders = [asyncio.create_task(courier.work()) for courier in couriers_of(town, is_endless=run.repeat)]
    customers = asyncio.create_task(Customers(town, repeat=run.repeat).order_all())
    everybody = [*cooks, *riders, customers]
    over = asyncio.create_task(_time_is_up(town, run))
    try:
        pending: set[asyncio.Task[None]] = {*everybody, over}
        while not (customers.done() or over.done()):
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in (*everybody, over):
            task.cancel()
        await asyncio.gather(*everybody, over, return_exceptions=True)


async def _time_is_up(town: Town, run: Run) -> None:
    ends = [asyncio.ensure_future(_end(town, run))]
    if run.over is not None:
        ends.append(asyncio.ensure_future(_told(run.over)))
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()


async def _told(over: asyncio.Event) -> None:
    await over.wait()


async def _end(town: Town, run: Run) -> None:
    if run.for_seconds is not None:
        await asyncio.sleep(run.for_seconds)
    elif run.repeat:
        await asyncio.get_running_loop().create_future()
    else:
        await town.clock.until(town.moment(town.day.length_seconds))


async def _tell(town: Town, observers: Observers, on_progress: Callable[[Progress], None]) -> None:
    while True:
        on_progress(
            Progress(
                product_time=town.clock.now(),
                placed=town.accounts.placed_count,
                delivered=town.accounts.delivered_count,
                open=town.accounts.open_count,
                changes_received=observers.received,
                lost=observers.tally().lost,
                commit_to_client_ms=observers.delays.percentiles(latest=RECENT_SAMPLES),
            )
        )
        await asyncio.sleep(PROGRESS_SECONDS)


def _report(town: Town, observers: Observers, committed: int, *, real_seconds: float, product_minutes: float) -> Report:
    tally, people = observers.tally(), town.tally()
    accounts: Accounts = town.accounts
    return Report(
        orders_placed=accounts.placed_count,
        orders_delivered=accounts.delivered_count,
        orders_unfinished=accounts.unfinished_count,
        changes_committed=committed,
        changes_received=tally.applied,
        lost=tally.lost + people.lost,
        duplicated=tally.duplicated + people.duplicated,
        reordered=tally.reordered + people.reordered,
        version_falls=tally.version_falls + people.version_falls,
        mixed_epochs=tally.mixed_epochs + people.mixed_epochs,
        after_revocation=tally.after_revocation + people.after_revocation,
        mismatched=tally.mismatched,
        commit_to_client_ms=observers.delays.percentiles(),
        observers={
            "copies": observers.copies,
            "topics": len(observers.topics),
            "connects": observers.connects,
            "replays": tally.replays,
            "snapshots": tally.snapshots,
            "skipped": tally.skipped,
            "repairs": observers.repairs,
            "refused": len(observers.refused),
            "received_by_actors": people.applied,
        },
        orders=accounts.fates(),
        click_to_door_minutes=accounts.minutes("placed_at", "delivered_at"),
        ready_to_door_minutes=accounts.minutes("ready_at", "delivered_at"),
        floor_minutes=round(town.day.floor_minutes(), 2),
        troubles=dict(accounts.troubles.most_common()),
        real_seconds=round(real_seconds, 1),
        product_minutes=round(product_minutes, 1),
        rate=town.clock.rate,
    )
