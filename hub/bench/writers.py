"""A process that changes rows at a given rate over real connections, open-loop: slow answers do not thin out the load.

The connection that came back last is taken first, as the hub's own pool takes it.

`python -m hub.bench.writers`: one JSON line of `Orders` on standard input, `ready` on standard output, then `go` starts
it; `begun` at the first acknowledgement, `done` after the last. The acknowledgements are written to a file. The process
stays, so that its processor time can still be read, until it is told to go or its input ends.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from typing import Any

import asyncpg
import msgspec
import uvloop
from redis.asyncio import Connection, Redis

from hub.bench.talk import hear, save, say, task_of

TICK_SECONDS = 0.001
WARM_UP_CHANGES = 12


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What the writers shall do. `statement` takes ($1 id, $2 text) and returns the row's new version.

    Where `nudge_channel` is None nobody is told of the commits.
    """

    database_url: str
    redis_url: str
    nudge_channel: str | None
    statement: str
    ids: list[str]
    rate_per_second: float
    seconds: float
    connections: int
    text_bytes: int
    acknowledged_path: str


class Acknowledged(msgspec.Struct, frozen=True, array_like=True):
    """One acknowledged change, with the monotonic nanoseconds of its issue and its acknowledgement."""

    id: str
    version: int
    issued: int
    acknowledged: int


class Writers:
    """The connections and what they have been told."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._idle: list[Any] = []
        self._due: deque[tuple[int, int]] = deque()
        self._told: list[Acknowledged] = []
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Open everything, wait for `go`, write, and save what was acknowledged."""
        orders = self._orders
        connections = [await asyncpg.connect(orders.database_url) for _ in range(orders.connections)]
        nudging = asyncio.create_task(self._nudge(orders.redis_url, orders.nudge_channel))
        say("ready")
        await hear()
        gc.collect()
        gc.freeze()
        gc.disable()
        for connection in connections:
            self._idle.append(await self._warm(connection))
        await self._offer()
        nudging.cancel()
        save(orders.acknowledged_path, self._told)
        say("done")
        for connection in connections:
            await connection.close()
        await hear()

    async def _warm(self, connection: Any) -> Any:
        """The prepared statement of a session that has read the catalogue and made its plans: nobody hears of it."""
        update = await connection.prepare(self._orders.statement)
        warming = connection.transaction()
        await warming.start()
        for entity_id in self._orders.ids[:WARM_UP_CHANGES]:
            await update.fetchval(entity_id, "warm up")
        await warming.rollback()
        return update

    async def _offer(self) -> None:
        """Issue changes by the clock, not by the answers; back when all are acknowledged."""
        orders, begun, count = self._orders, time.monotonic(), 0
        async with asyncio.TaskGroup() as writing:
            while (passed := time.monotonic() - begun) < orders.seconds:
                while count < passed * orders.rate_per_second:
                    self._due.append((count, time.monotonic_ns()))
                    count += 1
                for _ in range(min(len(self._due), len(self._idle))):
                    writing.create_task(self._work_off(self._idle.pop()))
                await asyncio.sleep(TICK_SECONDS)

    async def _work_off(self, update: Any) -> None:
        """Make on one connection what is due, until nothing is."""
        orders = self._orders
        while self._due:
            number, issued = self._due.popleft()
            entity_id = orders.ids[number % len(orders.ids)]
            version = await update.fetchval(entity_id, f"{number} {'x' * orders.text_bytes}")
            if not self._told:
                say("begun")
            self._told.append(Acknowledged(entity_id, version, issued, time.monotonic_ns()))
            self._changed.set()
        self._idle.append(update)

    async def _nudge(self, redis_url: str, channel: str | None) -> None:
        """After commits, one lossy hint for all that were made meanwhile, unanswered, as the hub gives it."""
        if channel is None:
            return
        redis = Redis.from_url(redis_url)
        connection: Connection = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.send_command("CLIENT", "REPLY", "OFF")
        hint = connection.pack_command("PUBLISH", channel, b"1")
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await connection.send_packed_command(hint, check_health=False)
        finally:
            await connection.disconnect()


def main() -> None:
    """The process."""
    uvloop.run(Writers(task_of(Orders)).run())


if __name__ == "__main__":
    main()
