"""The dispatcher's loop over a real database and a real Redis: it offers, asks the next, and two never offer twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
from redis.asyncio import Redis

from db.connection import Database
from hub.dispatch.loop import Dispatcher
from tests.town import Placed, Town, found, place, until

OFFERS = "select id::text, rider_id::text, state from offer where delivery_id = $1 order by id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """A town whose riders are on shift, and dispatchers to be."""

    conn: Any
    town: Town
    redis: Redis
    dispatcher: Dispatcher

    async def cooked(self) -> Placed:
        """An accepted order, nearly ready."""
        made = await place(self.conn, self.town)
        await self.conn.execute("update orders set status = 'accepted' where id = $1", made.order_id)
        return made

    async def stand(self, rider: int, lat: float) -> None:
        """Tell where a rider is, as the hub does."""
        point = orjson.dumps({"lat": lat, "lon": 77.59})
        await self.redis.hset(f"hotpass:positions:{self.town.region}", self.town.rider_ids[rider], point)

    async def offers(self, made: Placed) -> list[Any]:
        """Every offer of an order's delivery, oldest first."""
        return list(await self.conn.fetch(OFFERS, made.delivery_id))


@pytest.fixture
async def street(database_url: str, redis_url: str) -> AsyncIterator[Street]:
    """A street; nobody dispatches yet."""
    async with AsyncExitStack() as stack:
        database = Database(database_url, size=4, application="tests")
        await database.start()
        stack.push_async_callback(database.stop)
        redis = await stack.enter_async_context(Redis.from_url(redis_url))
        conn = await asyncpg.connect(database_url)
        stack.push_async_callback(conn.close)
        dispatcher = Dispatcher(database=database, redis=redis, direct_url=database_url, after=lambda: None)
        yield Street(conn=conn, town=await found(conn), redis=redis, dispatcher=dispatcher)


@pytest.fixture
async def at_work(street: Street) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Two dispatchers: one leads, one stands by."""
    tasks = [asyncio.create_task(street.dispatcher.run()) for _ in range(2)]
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_nearest_rider_is_offered_the_delivery_once(street: Street, at_work: object) -> None:
    await street.stand(0, 13.2)
    await street.stand(1, 12.971)
    made = await street.cooked()
    offers = await until(lambda: street.offers(made))
    assert [(one["rider_id"], one["state"]) for one in offers] == [(street.town.rider_ids[1], "live")]
    second = await street.cooked()  # when this one is offered, a whole further round is over
    await until(lambda: street.offers(second))
    assert len(await street.offers(made)) == 1


async def test_after_a_decline_the_next_rider_is_asked(street: Street, at_work: object) -> None:
    made = await street.cooked()
    [first] = await until(lambda: street.offers(made))
    await street.conn.execute("update offer set state = 'declined' where id = $1", first["id"])
    await street.conn.execute("update delivery set status = 'waiting' where id = $1", made.delivery_id)

    async def two() -> list[Any]:
        offers = await street.offers(made)
        return offers if len(offers) == 2 else []

    assert {one["rider_id"] for one in await until(two)} == set(street.town.rider_ids)


async def test_nobody_is_asked_to_carry_what_no_kitchen_took(street: Street, at_work: object) -> None:
    placed = await place(street.conn, street.town)
    taken = await street.cooked()
    await until(lambda: street.offers(taken))
    assert await street.offers(placed) == []
