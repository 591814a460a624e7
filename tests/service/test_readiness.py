"""`/readyz` of the real process: 503 until all of its workers are up, 200 from then on, under one name of the start."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest

from hub.provisions import NOTICED_SECONDS, drain_seconds_of
from hub.settings import Settings
from tests.realtime.two_hubs import HubProcess, hub_process
from tests.town import PATIENCE_SECONDS, sequencing

WORKERS = 2
STARTING = re.compile(r"Starting worker \[(\d+)\]")
Answer = tuple[int, dict[str, Any]]


@pytest.fixture
async def hub(database_url: str, redis_url: str) -> AsyncIterator[HubProcess]:
    """A hub of two workers beside its sequencer, not started."""
    with TemporaryDirectory(prefix="ready-") as directory:
        made = hub_process(database_url, redis_url, Path(directory), hub_workers=WORKERS)
        async with sequencing(database_url, redis_url):
            yield made
            await made.process.stop_async()


async def worker_ids(hub: HubProcess) -> list[int]:
    """The process ids of the workers, as soon as the last of them has begun: long before it can serve."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            begun = STARTING.findall(hub.log.read_text()) if hub.log.exists() else []
            if len(begun) == WORKERS:
                return [int(process_id) for process_id in begun]
            await asyncio.sleep(0)


async def answer_where(hub: HubProcess, status: int, **facts: object) -> Answer:
    """The first answer with this status and these facts; none before it may say ready with a worker missing."""
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{hub.url}/readyz") as answer:
                    told = answer.status, dict(await answer.json())
            except aiohttp.ClientConnectionError:  # nobody listens yet
                await asyncio.sleep(0)
                continue
            assert told[1]["ready"] == (told[0] == 200)
            assert told[0] == 503 or told[1]["workers_up"] == WORKERS
            if told[0] == status and facts.items() <= told[1].items():
                return told


async def test_a_hub_is_not_ready_while_one_of_its_workers_still_starts_or_is_stuck(hub: HubProcess) -> None:
    starting = asyncio.create_task(hub.process.start_async())
    late = (await worker_ids(hub))[-1]
    os.kill(late, signal.SIGSTOP)
    _, early = await answer_where(hub, 503, workers_up=WORKERS - 1)
    os.kill(late, signal.SIGCONT)
    _, whole = await answer_where(hub, 200)
    await starting
    assert whole["start"] == early["start"]

    os.kill(late, signal.SIGSTOP)
    await answer_where(hub, 503, workers_up=WORKERS - 1)
    os.kill(late, signal.SIGCONT)
    await answer_where(hub, 200, start=whole["start"])


async def test_a_deaf_worker_makes_the_whole_start_not_ready_whoever_is_asked(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    deaf_hub = (str(Path(__file__).with_name("deaf_hub.py")),)
    hub = hub_process(database_url, redis_url, tmp_path, hub_workers=WORKERS, program=deaf_hub)
    async with sequencing(database_url, redis_url):
        try:
            await hub.process.start_async()
            await answer_where(hub, 200)
            deaf, other = (worker.pid for worker in hub.workers())
            os.kill(deaf, signal.SIGUSR1)
            await answer_where(hub, 503, workers_up=WORKERS, deafest_worker=deaf)
            for silent in (deaf, other):  # each of the two answers alone while its sibling stands still
                os.kill(silent, signal.SIGSTOP)
                await answer_where(hub, 503, deafest_worker=deaf)
                os.kill(silent, signal.SIGCONT)
        finally:
            await hub.process.stop_async()


def test_a_load_balancer_has_time_to_notice_unless_there_is_none() -> None:
    assert drain_seconds_of(Settings(profile="production")) == NOTICED_SECONDS >= 4  # twice what it waits
    assert drain_seconds_of(Settings(profile="embedded")) == 0
    assert drain_seconds_of(Settings(profile="production", drain_seconds=0)) == 0


async def test_a_second_start_has_another_name(hub: HubProcess) -> None:
    await hub.process.start_async()
    _, first = await answer_where(hub, 200)
    await hub.process.restart_async()
    _, second = await answer_where(hub, 200)
    assert first["start"] != second["start"]
