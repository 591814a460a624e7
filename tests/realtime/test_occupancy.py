"""Sockets are counted over all workers, those of a killed worker no longer, and without Redis a share is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from hub.client.errors import ConnectRefused
from hub.realtime import occupancy
from hub.realtime.endings import end_all
from hub.realtime.occupancy import Occupancy
from hub.realtime.sockets import SocketLimits
from tests.realtime.two_hubs import Listener, Pair, listen_at, pair_of_hubs, token_of
from tests.town import PATIENCE_SECONDS, person

PER_PERSON, PER_ADDRESS = 8, 12
LIMITS = SocketLimits(per_principal=PER_PERSON, per_address=PER_ADDRESS, grace_seconds=25.0)
Worker = Callable[[], Awaitable[Occupancy]]


@pytest.fixture
async def worker(redis_url: str) -> AsyncIterator[Worker]:
    """Starts the counting of a worker."""
    running: list[tuple[Occupancy, asyncio.Task[None]]] = []

    async def start(url: str = redis_url) -> Occupancy:
        one = Occupancy(url, LIMITS)
        running.append((one, asyncio.create_task(one.run())))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not one.is_connected:
                await asyncio.sleep(0)
        return one

    yield start
    for one, task in running:
        await end_all([task])
        await one.leave()


async def taken(one: Occupancy, count: int, *, owner: str = "Greedy", address: str = "10.0.0.1") -> list[str | None]:
    return [await one.take(owner, address) for _ in range(count)]


async def until_room(one: Occupancy, **who: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await taken(one, 1, **who)) != [None]:
            await asyncio.sleep(0.01)


async def test_what_one_worker_gave_the_other_has_not(worker: Worker):
    first, second = await worker(), await worker()
    assert await taken(first, 5) == [None] * 5
    assert await taken(second, 4) == [None] * 3 + ["account"]
    assert await taken(second, 5, owner="Modest") == [None] * 4 + ["address"]
    assert await taken(second, 1, owner="Modest", address="10.0.0.2") == [None]
    first.give_back("Greedy", "10.0.0.1")
    await until_room(second)
    assert await taken(first, 1) == ["account"]


async def test_many_at_once_on_two_workers_get_the_limit_and_no_more(worker: Worker):
    workers = [await worker(), await worker()]
    answers = await asyncio.gather(*(workers[number % 2].take("Greedy", "10.0.0.1") for number in range(40)))
    assert 1 <= answers.count(None) <= PER_PERSON
    held = answers.count(None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while held < PER_PERSON:  # what the refused ones held for a moment comes back
            held += await workers[0].take("Greedy", "10.0.0.1") is None
            await asyncio.sleep(0.01)
    assert await taken(workers[1], 1) == ["account"]


async def test_the_counts_of_a_worker_without_a_lease_are_void(worker: Worker, redis_url: str):
    first, second = await worker(), await worker()
    await taken(first, PER_PERSON)
    assert await taken(second, 1) == ["account"]
    async with Redis.from_url(redis_url) as redis:
        leases = await redis.keys(occupancy.LEASE + "*")
        assert len(leases) == 2
        assert all([0 < await redis.pttl(lease) <= occupancy.LEASE_MILLISECONDS for lease in leases])
        await first.leave()
        assert await taken(second, PER_PERSON) == [None] * PER_PERSON
        assert await redis.hlen("hotpass:sockets:account:Greedy") == 1


async def test_without_redis_a_worker_allows_a_share_and_says_all_again_afterwards(redis_url: str):
    alone = Occupancy(redis_url, LIMITS)
    share = PER_PERSON // occupancy.AWAY_SHARE
    assert await taken(alone, share + 1) == [None] * share + ["account"]
    task = asyncio.create_task(alone.run())
    async with asyncio.timeout(PATIENCE_SECONDS), Redis.from_url(redis_url) as redis:
        while await redis.hvals("hotpass:sockets:account:Greedy") != [str(share).encode()]:
            await asyncio.sleep(0.01)
    await end_all([task])
    await alone.leave()


@pytest.fixture(scope="module")
async def pair(engines, module_database_url: str) -> AsyncIterator[Pair]:
    """Two hubs that allow few connections."""
    redis_url = engines.redis_url_of(15)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    limits = {"connections_per_person": PER_PERSON, "connections_per_address": PER_ADDRESS}
    async with pair_of_hubs(module_database_url, redis_url, **limits) as both:
        yield both


async def is_let_in(joining: Awaitable[Listener]) -> bool:
    try:
        await joining
    except ConnectRefused as refused:
        if refused.code != "too_many_connections":
            raise
        return False
    return True


async def test_a_person_has_so_many_sockets_at_two_hubs_together_and_a_killed_hub_gives_its_own_back(pair: Pair):
    greedy = await person(pair.conn, "Greedy")
    async with AsyncExitStack() as sockets:

        async def join(hub: int) -> Listener:
            return await listen_at(sockets, pair.hubs[hub].url, token_of(greedy))

        for number in range(PER_PERSON):
            await join(number % 2)
        for hub in (0, 1):
            with pytest.raises(ConnectRefused) as refused:
                await join(hub)
            assert refused.value.code == "too_many_connections"
        pair.hubs[0].process.kill()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (has_room := await is_let_in(join(1))):
                await asyncio.sleep(0.05)
        assert has_room
        await pair.hubs[0].process.start_async()
