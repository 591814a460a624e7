"""A restart of one hub after the other, behind a balancer, while changes go on: nobody misses anything.

clients ─► balancer (asks /readyz) ─► hub 1, of two workers ─► SIGTERM: not ready, then `draining`, then gone
                                 └──► hub 2, of two workers
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.client.live import Live
from hub.embedded.engines import Engines
from tests.realtime.two_hubs import HubProcess, Pair, listen_at, pair_of_hubs, token_of
from tests.town import PATIENCE_SECONDS

CLIENTS = 12
DRAIN_SECONDS = 1.0
NOT_READY = (aiohttp.ClientError, OSError, TimeoutError)


async def readiness(hub: HubProcess) -> dict[str, object]:
    """What a hub says of itself; empty when nobody answers."""
    with suppress(*NOT_READY):
        async with aiohttp.ClientSession() as http, http.get(f"{hub.url}/readyz") as answer:
            return dict(await answer.json())
    return {}


@dataclass(slots=True)
class Balancer:
    """Carries each connection to the next hub that says it is ready, as any load balancer does."""

    hubs: tuple[HubProcess, ...]
    turn: int = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self.hubs:
            self.turn += 1
            hub = self.hubs[self.turn % len(self.hubs)]
            if (await readiness(hub)).get("ready"):
                with suppress(OSError):
                    away_reader, away_writer = await asyncio.open_connection("127.0.0.1", hub.port)
                    await asyncio.gather(_pipe(reader, away_writer), _pipe(away_reader, writer))
                break
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def balancing(hubs: tuple[HubProcess, ...]) -> AsyncIterator[str]:
    """The address of a balancer."""
    server = await asyncio.start_server(Balancer(hubs).carry, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.close()


@pytest.fixture(scope="module")
async def pair(engines: Engines, module_database_url: str) -> AsyncIterator[Pair]:
    """Two hubs of two workers; each test leaves them running."""
    redis_url = engines.redis_url_of(13)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(module_database_url, redis_url, hub_workers=2, drain_seconds=DRAIN_SECONDS) as both:
        yield both


async def restart(hub: HubProcess) -> None:
    """SIGTERM, and start again once it has gone."""
    await hub.process.stop_async()
    await hub.process.start_async()


async def test_a_rolling_restart_loses_no_change(pair: Pair):
    names: list[str] = []

    async def keep_changing() -> None:
        while True:
            names.append(f"name {len(names)}")
            await pair.rename(names[-1])
            await asyncio.sleep(0.02)  # a pace, not a wait

    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(balancing(pair.hubs))
        auth = {"token": token_of(pair.town.manager_id)}
        lives = [await stack.enter_async_context(Live(url, lambda: auth)) for _ in range(CLIENTS)]
        folds = [await live.subscribe(pair.topic) for live in lives]
        changing = asyncio.create_task(keep_changing())
        stack.callback(changing.cancel)
        for hub in pair.hubs:
            await restart(hub)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        await pair.rename("the last")
        item_id = pair.town.item_ids[0]
        for live, fold in zip(lives, folds, strict=True):
            await live.until(
                lambda fold=fold: (fold.row("item", item_id) or {})["name"] == "the last",
                timeout_seconds=PATIENCE_SECONDS,
            )
        assert {fold.offset for fold in folds} == {folds[0].offset}
        assert all(fold.tally.is_clean and fold.tally.snapshots == 1 for fold in folds)
        assert all(live.connects >= 2 for live in lives)


async def test_a_hub_that_stops_is_not_ready_before_it_sends_anybody_away(pair: Pair):
    async with AsyncExitStack() as sockets:
        hub = pair.hubs[0]
        listeners = [await listen_at(sockets, hub.url, token_of(pair.town.manager_id)) for _ in range(CLIENTS)]
        stopping = asyncio.create_task(hub.process.stop_async())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await readiness(hub)).get("draining"):
                pass
        assert all(listener.told("draining") == [] for listener in listeners)
        assert (await listeners[0].subscribe(pair.topic))["ok"]  # whoever is here is served as ever
        await pair.rename("while a balancer looks away")
        await listeners[0].until(lambda: listeners[0].names(pair.topic))
        assert listeners[0].told("draining") == []
        for listener in listeners:
            (told,) = await listener.until(lambda listener=listener: listener.told("draining"))
            assert 0 <= told["reconnect_in_ms"] < 2_000
            await listener.until(lambda listener=listener: listener.socket.is_lost)
        spread = {listener.told("draining")[0]["reconnect_in_ms"] for listener in listeners}
        assert len(spread) > 1
        await stopping
    await hub.process.start_async()


async def test_a_hub_ends_by_itself_even_when_stopped_the_moment_it_is_up(pair: Pair):
    await asyncio.gather(*(restart(hub) for hub in pair.hubs))
    await asyncio.gather(*(hub.process.stop_async() for hub in pair.hubs))
    for hub in pair.hubs:
        log = hub.log.read_text()
        assert log.count('"Server Stopped"') == log.count('"Received signal SIGTERM. Shutting down."') > 1
