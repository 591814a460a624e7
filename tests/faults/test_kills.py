"""Processes, engines and streams are killed under load; nothing is lost, repeated or reordered, nobody is deaf.

`HOTPASS_FAULT_ROUNDS=20` makes the long run of it; the order of the kills follows from `HOTPASS_FAULT_SEED`.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from db import pipeline
from db.migrate import migrate
from hub.client.live import Live, Watchers
from hub.embedded.engines import Engines
from hub.embedded.household import Household, processes
from hub.embedded.ports import claim
from hub.embedded.process import Process
from hub.embedded.supervisor import Supervisor
from tests.faults.oracles import Journal, wrong_in_fold, wrong_in_journal, wrong_in_log
from tests.faults.writers import Writer
from tests.signing import token_for
from tests.town import Town, found, person, sequenced

ROUNDS = int(os.environ.get("HOTPASS_FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("HOTPASS_FAULT_SEED", "1"))
SUBSCRIBERS = 30
WRITERS = 3
WRITES_BETWEEN = 25
PATIENCE_SECONDS = 90.0  # for all to converge on a busy machine; a whole process is started in it


@dataclass(slots=True, kw_only=True)
class Scene:
    """A supervised house of two hubs (three workers) and two sequencers, with a town in it."""

    engines: Engines
    urls: tuple[str, str]
    parts: dict[str, Process]
    town: Town
    boss_id: str
    writes: int = 0
    written: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self) -> None:
        self.writes += 1
        self.written.set()

    async def more_writes(self, number: int) -> None:
        """Wait until so many more transactions were acknowledged: the load goes on."""
        wanted = self.writes + number
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.writes < wanted:
                self.written.clear()
                await self.written.wait()

    def token(self) -> str:
        return token_for(self.boss_id, secret=self.engines.credentials.secret_key)

    async def kill_sequencer(self) -> None:
        """The leader, if it is known which of the two leads; else either."""
        self.parts[f"sequencer {random.Random(self.writes).choice((1, 2))}"].kill()

    async def kill_hub(self) -> None:
        self.parts["second hub"].kill()

    async def kill_worker(self) -> None:
        parent = self.parts["first hub"].process_id
        if parent is not None:
            for child in psutil.Process(parent).children(recursive=True)[-1:]:
                child.kill()

    async def restart_redis(self) -> None:
        await self.engines.redis.restart_async()

    async def flush_redis(self) -> None:
        async with Redis.from_url(self.engines.redis_url) as redis:
            await redis.flushall()

    async def restart_postgres(self) -> None:
        await self.engines.postgres.restart_async()


def house_of(engines: Engines, sockets: Path) -> tuple[tuple[str, str], dict[str, Process]]:
    """The addresses of the hubs, and the processes by name."""
    ports = (claim(0, name="first hub"), claim(0, name="second hub"))
    parts: dict[str, Process] = {}
    for number, (port, workers) in enumerate(zip(ports, (2, 1), strict=True)):
        (announcements := sockets / str(number)).mkdir()
        household = Household(
            engines=engines,
            hub_port=port,
            ui_port=1,  # none is started
            sockets=announcements,
            hub_workers=workers,
            sequencers=2 - 2 * number,
        )
        for part in processes(household):
            if part.name == "hub":
                parts[("first hub", "second hub")[number]] = part
            elif part.name.startswith("sequencer"):
                parts[part.name] = part
    return (f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"), parts


@pytest.fixture
async def scene(own_engines: Engines) -> AsyncIterator[Scene]:
    await asyncio.to_thread(migrate, own_engines.database_url)
    conn = await asyncpg.connect(own_engines.database_url)
    town = await found(conn, customers=4, riders=4)
    boss_id = await person(conn, "Boss", ("administrator", "*"))
    await conn.close()
    with tempfile.TemporaryDirectory(prefix="hotpass-") as sockets:
        urls, parts = house_of(own_engines, Path(sockets))
        supervisor = Supervisor(tuple(parts.values()), tell=lambda name, what: None)
        await supervisor.start()
        watching = asyncio.create_task(supervisor.watch())
        yield Scene(engines=own_engines, urls=urls, parts=parts, town=town, boss_id=boss_id)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await supervisor.stop()


def topics_of(town: Town, number: int) -> list[str]:
    """The topics of one of the subscribers: everybody the kitchen, some the rest."""
    riders, customers = town.rider_ids, town.customer_ids
    more = [f"operations:{town.region}", f"rider:{riders[number % len(riders)]}", f"menu:{town.kitchen_id}"]
    more.append(f"rider:{riders[(number + 1) % len(riders)]}" if number % 2 else f"user:{customers[0]}")
    return [f"kitchen:{town.kitchen_id}", *(topic for topic in more[: 1 + number % 3] if not topic.startswith("user"))]


def kills_of(scene: Scene) -> list[Callable[[], object]]:
    kinds = [
        *[scene.kill_sequencer] * 3, *[scene.kill_hub] * 2, *[scene.kill_worker] * 2, *[scene.restart_redis] * 3,
        *[scene.flush_redis] * 2,
    ] * ROUNDS  # fmt: skip
    random.Random(SEED).shuffle(kinds)
    return [*kinds[: len(kinds) // 2], scene.restart_postgres, *kinds[len(kinds) // 2 :]]


async def test_nothing_is_lost_whatever_is_killed(scene: Scene):
    journal = Journal()
    writers = [
        Writer(database_url=scene.engines.database_url, town=scene.town, chance=random.Random(seed), told=scene.count)
        for seed in range(WRITERS)
    ]
    async with AsyncExitStack() as lives:
        crowd = [
            await lives.enter_async_context(
                Live(scene.urls[at % 2], lambda: {"token": scene.token()}, watchers=Watchers(on_change=journal.keep))
            )
            for at in range(SUBSCRIBERS)
        ]
        async with asyncio.timeout(PATIENCE_SECONDS):
            for at, live in enumerate(crowd):
                await asyncio.gather(*(live.subscribe(topic) for topic in topics_of(scene.town, at)))
        writing = [asyncio.create_task(writer.run()) for writer in writers]
        try:
            for kill in kills_of(scene):
                await scene.more_writes(WRITES_BETWEEN)
                await kill()  # type: ignore[misc]
            await scene.more_writes(WRITES_BETWEEN)
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
        conn = await asyncpg.connect(scene.engines.database_url, server_settings={"timezone": "UTC"})
        async with asyncio.timeout(PATIENCE_SECONDS):
            await sequenced(conn)
        wrong = await wrong_in_log(conn, [place for writer in writers for place in writer.acknowledged])
        for live in crowd:
            for fold in live.folds:
                head = (await pipeline.TOPIC_SPAN.only(conn, topic=fold.topic))["head"]
                try:
                    await live.until(lambda fold=fold, head=head: fold.offset >= head, timeout_seconds=PATIENCE_SECONDS)
                except TimeoutError:
                    wrong.append(f"{fold.topic} stays at {fold.offset} of {head}")
                wrong += await wrong_in_fold(conn, fold)
                if fold.tally.snapshots != 1:
                    wrong.append(f"{fold.topic}: started anew {fold.tally.snapshots} times, although nothing was gone")
        wrong += await wrong_in_journal(conn, journal)
        await conn.close()
    assert wrong[:20] == []
    assert sum(live.connects for live in crowd) > SUBSCRIBERS
