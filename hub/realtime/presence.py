"""How many clients follow a topic now, over all workers: each worker leases its own counts.

    fan-out of a worker ─ every 3 s, what has changed only ─► hash of the worker: topic → count, gone with its lease
                                                             workers by the end of their lease

Invariant: nothing is written when a client comes or goes, so thousands leaving at once cost nothing here, and an idle
board costs two commands. A worker that dies is counted until its lease ends, one that stops is not.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.domain.topics import TopicKind
from hub.observability import logs, metrics
from hub.realtime.fanout import Fanout

LOG = logs.get(__name__)
REFRESH_SECONDS = 3.0
LEASE_SECONDS = 10.0
TOPICS_AT_ONCE = 200
# Sorted set: worker by the end of its lease, in Unix seconds.
WORKERS = "hotpass:present"


def key_of(worker: str) -> str:
    """The Redis hash of a worker's counts."""
    return f"hotpass:present:{worker}"


async def presence_at(redis: Redis, topics: list[str]) -> list[int]:
    """How many clients follow each topic on all workers, at most a few seconds ago. Raises `RedisError`.

    Two round trips; one command a worker. `boards` asks, for the kitchens that have something to cook.
    """
    workers: list[bytes] = await redis.zrangebyscore(WORKERS, time.time(), "+inf")  # type: ignore[assignment]
    if not workers or not topics:
        return [0] * len(topics)
    asking = redis.pipeline(transaction=False)
    for worker in workers:
        asking.hmget(key_of(worker.decode()), topics)
    told = await asking.execute()
    return [sum(int(count or 0) for count in counts) for counts in zip(*told, strict=True)]


class Presence:
    """The leases of one worker."""

    def __init__(self, *, redis: Redis, fanout: Fanout, lease_seconds: float = LEASE_SECONDS) -> None:
        self._redis = redis
        self._fanout = fanout
        self._lease_seconds = lease_seconds
        self._worker = secrets.token_hex(6)
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        """Renew the leases for ever; while Redis is away they run out."""
        while True:
            try:
                await self.renew()
            except (RedisError, OSError) as error:
                LOG.info("presence was not told", error=str(error))
            await asyncio.sleep(REFRESH_SECONDS)

    async def renew(self) -> None:
        """Lease the present counts: what has changed is written, and all of it once when Redis has forgotten."""
        counts: dict[str, int] = {}
        of_kind: Counter[TopicKind] = Counter()
        for name, state in self._fanout.topics.items():
            counts[name] = len(state.live) + len(state.joining)
            of_kind[state.kind] += counts[name]
        for kind in TopicKind:
            metrics.FOLLOWERS.labels(kind).set(of_kind[kind])
        if not await self._prolong() and self._told:
            self._told = {}
        await self._write(counts)

    async def leave(self) -> None:
        """Give every lease back: the worker stops."""
        self._told = {}
        try:
            await self._redis.zrem(WORKERS, self._worker)
            await self._redis.delete(key_of(self._worker))
        except (RedisError, OSError) as error:
            LOG.info("presence was not given back", error=str(error))

    async def _prolong(self) -> bool:
        """Whether the counts told so far are still there."""
        now = time.time()
        leasing = self._redis.pipeline(transaction=False)
        leasing.pexpire(key_of(self._worker), round(self._lease_seconds * 1000))
        leasing.zadd(WORKERS, {self._worker: now + self._lease_seconds})
        leasing.zremrangebyscore(WORKERS, "-inf", now - self._lease_seconds)
        is_there, *_ = await leasing.execute()
        return bool(is_there)

    async def _write(self, counts: dict[str, int]) -> None:
        key, gone = key_of(self._worker), self._told.keys() - counts.keys()
        changed = {name: count for name, count in counts.items() if self._told.get(name) != count}
        names = [*changed, *gone]
        for at in range(0, len(names), TOPICS_AT_ONCE):
            slice_of_names = names[at : at + TOPICS_AT_ONCE]
            put: dict[Any, Any] = {name: changed[name] for name in slice_of_names if name in changed}
            dropped = [name for name in slice_of_names if name in gone]
            if put:
                await self._redis.hset(key, mapping=put)
            if dropped:
                await self._redis.hdel(key, *dropped)
        if changed:
            await self._redis.pexpire(key, round(self._lease_seconds * 1000))
        self._told = counts
