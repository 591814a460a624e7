"""How many clients follow a topic now, over all workers: each worker leases its own count.

    fan-out of a worker ─ every 3 s, for topics with clients only ─► hash of the topic: worker → "count deadline"

Invariant: nothing is written when a client comes or goes, so thousands leaving at once cost nothing here. A worker that
dies is counted until its lease ends, one that stops is not.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.domain.topics import TopicKind
from hub.observability import logs, metrics
from hub.realtime.fanout import Fanout

LOG = logs.get(__name__)
REFRESH_SECONDS = 3.0
LEASE_SECONDS = 10.0
TOPICS_AT_ONCE = 500


def key_of(topic: str) -> str:
    """The Redis hash of a topic's followers."""
    return f"hotpass:present:{topic}"


async def present_at(redis: Redis, topic: str) -> int:
    """How many clients follow `topic` on all workers, at most a few seconds ago. Raises `RedisError`."""
    now = time.time()
    told = [lease.split() for lease in (await redis.hgetall(key_of(topic))).values()]
    return sum(int(count) for count, deadline in told if float(deadline) > now)


class Presence:
    """The leases of one worker."""

    def __init__(self, *, redis: Redis, fanout: Fanout, lease_seconds: float = LEASE_SECONDS) -> None:
        self._redis = redis
        self._fanout = fanout
        self._lease_seconds = lease_seconds
        self._worker = secrets.token_hex(6)
        self._told: set[str] = set()

    async def run(self) -> None:
        """Renew the leases for ever; while Redis is away they run out."""
        while True:
            try:
                await self.renew()
            except (RedisError, OSError) as error:
                LOG.info("presence was not told", error=str(error))
            await asyncio.sleep(REFRESH_SECONDS)

    async def renew(self) -> None:
        """Lease the present counts, give back those of topics without clients. One pipelined call per 500 topics."""
        counts: dict[str, int] = {}
        of_kind: Counter[TopicKind] = Counter()
        for name, state in self._fanout.topics.items():
            counts[name] = len(state.live) + len(state.joining)
            of_kind[state.kind] += counts[name]
        for kind in TopicKind:
            metrics.FOLLOWERS.labels(kind).set(of_kind[kind])
        gone, self._told = self._told - counts.keys(), set(counts)
        await self._write(counts, gone)

    async def leave(self) -> None:
        """Give every lease back: the worker stops."""
        gone, self._told = self._told, set()
        try:
            await self._write({}, gone)
        except (RedisError, OSError) as error:
            LOG.info("presence was not given back", error=str(error))

    async def _write(self, counts: dict[str, int], gone: set[str]) -> None:
        deadline = time.time() + self._lease_seconds
        names = [*gone, *counts]
        for at in range(0, len(names), TOPICS_AT_ONCE):
            pipeline = self._redis.pipeline(transaction=False)
            for name in names[at : at + TOPICS_AT_ONCE]:
                key = key_of(name)
                if name in counts:
                    pipeline.hset(key, self._worker, f"{counts[name]} {deadline:.3f}")
                    pipeline.pexpire(key, round(self._lease_seconds * 1000))
                else:
                    pipeline.hdel(key, self._worker)
            await pipeline.execute()
