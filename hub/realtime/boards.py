"""Kitchens that have something to cook while nobody follows their board: the one thing that no screen can show.

    database: kitchens with orders in hand ─┐
    presence: who follows, on all workers ──┴─► a gauge, the same from every worker ─► an alert (deploy/alerts.yml)

Invariant: a kitchen is counted only when both were read. While either is away the gauge stays as it was.
"""

from __future__ import annotations

import asyncio

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db import kitchens
from db.connection import DATABASE_AWAY, Database
from hub.domain.topics import TopicKind
from hub.observability import logs, metrics
from hub.realtime.presence import presence_at

LOG = logs.get(__name__)
LOOK_SECONDS = 10.0


async def unwatched(database: Database, redis: Redis) -> list[str]:
    """Ids of kitchens with orders in hand whose topic nobody follows on any worker, at most some seconds ago.

    Raises what `DATABASE_AWAY` names, and `RedisError`. One index scan of the orders that are open.
    """
    async with database.connection() as conn:
        busy = [str(row["kitchen_id"]) for row in await kitchens.WITH_ORDERS_IN_HAND.rows(conn)]
    followers = await presence_at(redis, [f"{TopicKind.KITCHEN}:{kitchen_id}" for kitchen_id in busy])
    return [kitchen_id for kitchen_id, count in zip(busy, followers, strict=True) if not count]


async def watch_boards(database: Database, redis: Redis) -> None:
    """Tell the metrics for ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            metrics.UNWATCHED_KITCHENS.set(len(await unwatched(database, redis)))
        except (RedisError, *DATABASE_AWAY, asyncpg.PostgresError) as error:
            LOG.info("nobody knows who watches the kitchens", error=str(error) or type(error).__name__)
