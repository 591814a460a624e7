"""The dispatcher's loop: read the region, plan, offer. One leader per region; every offer decides in its statement.

A stale plan can never assign twice: an offer is made only of a delivery that still waits, to a rider who still has
room, and accepting it compares again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db import deliveries, kitchens, offer_moves, riders
from db.connection import DATABASE_AWAY, Database
from db.context import context
from db.leadership import leadership
from db.statement import Connection
from hub.dispatch.plan import Choice, Free, Waiting, nearest_free
from hub.observability import logs, metrics

LOG = logs.get(__name__)
ROUND_SECONDS = 0.25
STANDBY_SECONDS = 1.0
REGIONS_SECONDS = 5.0
OFFER_SECONDS = 30.0  # of the wall clock: a person must be able to answer
HORIZON_SECONDS = 1_200.0  # long enough to ride there while it cooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """What the loop needs. `after` is called when offers were made."""

    database: Database
    redis: Redis
    direct_url: str
    after: Callable[[], None]

    async def run(self) -> None:
        """Lead every region that nobody else leads, for ever."""
        leading: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                await self._lead_new_regions(leading)
                await asyncio.sleep(REGIONS_SECONDS)
        finally:
            for task in leading.values():
                task.cancel()
            await asyncio.gather(*leading.values(), return_exceptions=True)

    async def _lead_new_regions(self, leading: dict[str, asyncio.Task[None]]) -> None:
        try:
            async with self.database.connection() as connection:
                regions = [row["region"] for row in await riders.REGIONS.rows(connection)]
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            LOG.info("the database is away", error=str(error) or type(error).__name__)
            return
        for region in regions:
            if region not in leading or leading[region].done():
                leading[region] = asyncio.create_task(self._lead(region))

    async def _lead(self, region: str) -> None:
        """Lead a region as long as the lock's session lives."""
        while True:
            try:
                async with leadership(self.direct_url, f"dispatch {region}") as lock:
                    if lock is not None:
                        LOG.info("leads", region=region)
                        while not lock.is_closed():
                            await self._round(region)
                            await asyncio.sleep(ROUND_SECONDS)
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                LOG.info("the database is away", region=region, error=str(error) or type(error).__name__)
            except Exception:
                LOG.exception("a dispatch round failed", region=region)
            await asyncio.sleep(STANDBY_SECONDS)

    async def _round(self, region: str) -> None:
        places = await self._places(region)
        async with self.database.connection() as connection:
            waiting = await read_waiting(connection, region)
            if not waiting:
                return
            free = [
                Free(rider_id=row["id"], lat=place[0], lon=place[1])
                for row in await riders.FREE.rows(connection, region=region)
                for place in (places.get(row["id"], (row["home_lat"], row["home_lon"])),)
            ]
            rate = (await kitchens.CLOCK.only(connection))["rate"]
            choices = nearest_free(waiting, free, horizon_seconds=HORIZON_SECONDS)
            made = [choice for choice in choices if await offer(connection, choice, seconds=OFFER_SECONDS * rate)]
        if made:
            metrics.OFFERS_MADE.inc(len(made))
            self.after()

    async def _places(self, region: str) -> dict[str, tuple[float, float]]:
        """Where the riders of a region were last seen; empty while Redis is away."""
        try:
            seen = await self.redis.hgetall(f"hotpass:positions:{region}")
        except (RedisError, OSError):
            return {}
        points = {_text(rider): orjson.loads(point) for rider, point in seen.items()}
        return {rider: (point["lat"], point["lon"]) for rider, point in points.items()}


async def read_waiting(connection: Connection, region: str) -> list[Waiting]:
    """The deliveries of a region that wait, soonest ready first. At most 500."""
    return [
        Waiting(
            delivery_id=row["id"],
            pickup_lat=row["pickup_lat"],
            pickup_lon=row["pickup_lon"],
            ready_in_seconds=row["ready_in_seconds"],
            taboo=frozenset(row["taboo"]),
        )
        for row in await deliveries.WAITING.rows(connection, region=region)
    ]


async def offer(connection: Connection, choice: Choice, *, seconds: float) -> bool:
    """Make the offer unless the world has moved on; it lasts `seconds` of the product clock."""
    made = await offer_moves.OFFER.value(
        connection,
        delivery_id=choice.delivery_id,
        rider_id=choice.rider_id,
        approach_metres=round(choice.approach_metres),
        seconds=seconds,
        context=context(actor="dispatcher", reason="the nearest free rider"),
    )
    return made is not None


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
