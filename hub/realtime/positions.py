"""Where riders are: in by socket or HTTP, latest only, out at most four times a second per topic; never in the log.

    point ─► plausible? ─► Redis hash (last per rider) + channel ─► every worker ─► coalesced `position` frames

Losing one is harmless: the next one replaces it. A rider is seen in its own and its region's topics, and in an order's
topic only between pick-up and the door.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db import riders
from db.connection import Database
from hub.domain.delivery import VISIBLE_RIDER
from hub.domain.geo import distance_metres, is_on_globe
from hub.gateway.points import Point
from hub.observability import logs, metrics
from hub.realtime.changes import POSITIONS, Change
from hub.realtime.endings import for_ever
from hub.realtime.fanout import Fanout
from hub.realtime.frames import event_frame
from hub.realtime.heads import ProductClock

LOG = logs.get(__name__)
FLUSH_SECONDS = 0.25
RETRY_SECONDS = 0.2
ON_SHIFT_SECONDS = 5.0
FASTEST_METRES_PER_SECOND = 60.0  # a motorway; beyond it the device is wrong
FUTURE_SECONDS = 120.0


def last_positions(region: str) -> str:
    """The Redis hash rider → latest point of a region; the dispatcher reads it."""
    return f"hotpass:positions:{region}"


@dataclass(slots=True, kw_only=True)
class LastPoint:
    """What is remembered of a rider between points. `taken_at` is this worker's monotonic time."""

    seq: int
    lat: float
    lon: float
    taken_at: float


class PositionIntake:
    """Takes points of riders on shift and passes the latest on."""

    def __init__(self, *, database: Database, redis: Redis, clock: ProductClock) -> None:
        self._database = database
        self._redis = redis
        self._clock = clock
        self._last: dict[str, LastPoint] = {}
        self._on_shift: dict[str, tuple[float, str | None]] = {}

    async def take(self, rider_id: str, points: list[Point]) -> dict[str, Any]:
        """Accept what is plausible: `{accepted, rejected: [{seq, code}]}`.

        Codes: off_shift, bad_place, bad_time, old, too_fast.
        """
        region = await self._region(rider_id)
        rejected = []
        latest: Point | None = None
        for point in sorted(points, key=lambda one: one.seq):
            code = "off_shift" if region is None else self._fault(rider_id, point)
            metrics.POSITIONS.labels(code or "accepted").inc()
            if code is not None:
                rejected.append({"seq": point.seq, "code": code})
                continue
            self._last[rider_id] = LastPoint(seq=point.seq, lat=point.lat, lon=point.lon, taken_at=time.monotonic())
            latest = point
        if latest is not None and region is not None:
            await self._pass_on(rider_id, region, latest)
        return {"accepted": len(points) - len(rejected), "rejected": rejected}

    async def _region(self, rider_id: str) -> str | None:
        known = self._on_shift.get(rider_id)
        if known is None or time.monotonic() - known[0] > ON_SHIFT_SECONDS:
            async with self._database.connection() as connection:
                known = (time.monotonic(), await riders.ON_SHIFT.value(connection, rider_id=rider_id))
            self._on_shift[rider_id] = known
        return known[1]

    def _fault(self, rider_id: str, point: Point) -> str | None:
        if not is_on_globe(point.lat, point.lon):
            return "bad_place"
        at = point.at if point.at.tzinfo else point.at.replace(tzinfo=UTC)
        if (at - datetime.now(UTC)).total_seconds() > FUTURE_SECONDS:
            return "bad_time"
        last = self._last.get(rider_id)
        if last is None:
            return None
        if point.seq <= last.seq:
            return "old"
        elapsed = max(time.monotonic() - last.taken_at, 1.0) * self._clock.rate
        moved = distance_metres(last.lat, last.lon, point.lat, point.lon)
        return "too_fast" if moved > 500 + elapsed * FASTEST_METRES_PER_SECOND else None

    async def _pass_on(self, rider_id: str, region: str, point: Point) -> None:
        seen = {
            "rider": rider_id,
            "at": point.at.isoformat(),
            "lat": point.lat,
            "lon": point.lon,
            "heading": point.heading,
        }
        try:
            await self._redis.hset(last_positions(region), rider_id, orjson.dumps(seen).decode())
            await self._redis.publish(POSITIONS, orjson.dumps(seen | {"region": region}))
        except RedisError as error:
            LOG.info("a position was not passed on", error=str(error))


class PositionFeed:
    """Brings the latest positions to this worker's clients."""

    def __init__(self, *, database: Database, redis: Redis, fanout: Fanout) -> None:
        self._database = database
        self._redis = redis
        self._fanout = fanout
        self._carried: dict[str, set[str]] = {}
        self._waiting: dict[str, dict[str, dict[str, Any]]] = {}

    def apply(self, change: Change) -> None:
        """A delivery changed: its rider may now be seen, or no longer."""
        order_id = change.row.get("order_id")
        for orders in self._carried.values():
            orders.discard(str(order_id))
        if change.row.get("status") in VISIBLE_RIDER:
            self._carried.setdefault(change.row["rider_id"], set()).add(str(order_id))

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._load()
                await self._listen()
            except (RedisError, OSError) as error:
                LOG.info("redis is away", error=str(error))
            except Exception:
                LOG.exception("the position feed failed")
            await asyncio.sleep(RETRY_SECONDS)

    async def _load(self) -> None:
        async with self._database.connection() as connection:
            rows = await riders.CARRYING.rows(connection)
        self._carried = {}
        for row in rows:
            self._carried.setdefault(row["rider_id"], set()).add(row["order_id"])

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(POSITIONS)
            flushing = asyncio.create_task(for_ever("flush", self._flush))
            try:
                async for message in channel.listen():
                    self._take(orjson.loads(message["data"]))
            finally:
                flushing.cancel()

    def _take(self, seen: dict[str, Any]) -> None:
        rider, region = seen["rider"], seen.pop("region")
        topics = [
            f"rider:{rider}",
            f"operations:{region}",
            *(f"order:{order}" for order in self._carried.get(rider, ())),
        ]
        for topic in topics:
            state = self._fanout.topics.get(topic)
            if state is not None and state.live:
                self._waiting.setdefault(topic, {})[rider] = seen

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            waiting, self._waiting = self._waiting, {}
            for topic, latest in waiting.items():
                state = self._fanout.topics.get(topic)
                if state is None:
                    continue
                frame = event_frame("position", orjson.dumps({"topic": topic, "riders": list(latest.values())}))
                for client in state.live.values():
                    client.write(frame)
