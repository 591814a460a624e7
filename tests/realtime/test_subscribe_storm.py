"""Everybody at once for the largest board, page after page: nobody else waits, and the memory stays in bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psutil
import pytest
from redis.asyncio import Redis

from hub.client.socket import Socket
from hub.embedded.engines import Engines
from tests.realtime.two_hubs import Pair, listen_at, pair_of_hubs, token_of, writing
from tests.town import ITEMS, Town, found, person, sequenced

DISHES = 2_000
CLIENTS, PEOPLE = 250, 15
PACE_SECONDS = 0.02
# Each client may have a page under way (128 KiB, and as much again while it is copied) beside the one board that all
# share; a board of rows and pages for each of them would be 400 MB.
BOUND_BYTES = CLIENTS * 2 * 128 * 1024 + 64 * 1024 * 1024


@pytest.fixture
async def pair(engines: Engines, database_url: str) -> AsyncIterator[Pair]:
    """One hub of one worker, and a small town."""
    redis_url = engines.redis_url_of(20)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(database_url, redis_url, hubs=1) as hall:
        yield hall


async def watched(process: psutil.Process, peak: list[int]) -> None:
    """Keep the largest size of a process, until cancelled."""
    while True:
        peak.append(process.memory_info().rss)
        await asyncio.sleep(PACE_SECONDS)  # a pace, not a wait


class Guest:
    """One of the crowd: counts rows, and keeps none of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rows = 0
        self.pages = 0
        self.socket = Socket(on_event=lambda *_: None, on_lost=lambda _: None)

    async def come(self, person_id: str) -> None:
        await self.socket.open(self.url, {"token": token_of(person_id)})

    async def take(self, topic: str) -> None:
        """Every page of a board, one after the other."""
        more = True
        while more:
            page = {"page": self.pages} if self.pages else {}
            answer = await self.socket.ask("subscribe", {"topic": topic, **page}, timeout_seconds=60)
            self.pages += 1
            self.rows += len(answer["rows"])
            more = answer.get("more", False)


async def large_board(pair: Pair) -> Town:
    """A kitchen of its own with thousands of dishes."""
    board = await found(pair.conn, region="large")
    await pair.conn.execute(ITEMS, board.kitchen_id, board.brand_id, board.station_id, DISHES, "Many ")
    await sequenced(pair.conn)
    return board


async def test_a_storm_for_the_largest_board_is_served_and_nobody_else_notices(pair: Pair):
    board = await large_board(pair)
    topic = f"kitchen:{board.kitchen_id}"
    people = [await person(pair.conn, "Boss", ("administrator", "*")) for _ in range(PEOPLE)]
    (worker,) = pair.hubs[0].workers()
    crowd, peak = [Guest(pair.urls[0]) for _ in range(CLIENTS)], [worker.memory_info().rss]
    async with AsyncExitStack() as sockets:
        witness = await listen_at(sockets, pair.urls[0], token_of(pair.town.manager_id))
        first = await witness.subscribe(pair.topic)
        for number, guest in enumerate(crowd):
            await guest.come(people[number % PEOPLE])
            sockets.callback(guest.socket.abort)
        watching = asyncio.create_task(watched(worker, peak))
        sockets.callback(watching.cancel)
        async with writing(pair) as writer:
            await writer.more()
            served = asyncio.gather(*(guest.take(topic) for guest in crowd))
            while not served.done():
                await writer.more()
                # What was written during the storm reaches the witness during the storm.
                last = writer.names[-1]
                await witness.until(lambda last=last: last in witness.names(pair.topic))
            await served
            during = len(writer.names)
        offsets = witness.offsets(pair.topic)
        assert offsets == list(range(first["offset"] + 1, offsets[-1] + 1)) and during > 20
        assert witness.told("resync") == [] and not witness.socket.is_lost
    assert {guest.rows for guest in crowd} == {crowd[0].rows} and crowd[0].rows > DISHES
    assert min(guest.pages for guest in crowd) > 5
    assert max(peak) - peak[0] < BOUND_BYTES
