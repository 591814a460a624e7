"""The worker's reader: brings every change to the fan-out, in order, once, whatever happens to Redis.

    stream ──XREAD from own place──► every batch ──► deliver()
    log    ──a hole, a lost Redis, or a quiet second──► deliver()

Invariant: `deliver` sees `pos` rise by one from call to call, within an epoch. The stream is only a faster way to the
same changes: the log decides. The reader waits when Postgres or Redis is away; it never ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import hiredis

from db import pipeline
from db.connection import DATABASE_AWAY, Database
from hub.observability import logs, metrics
from hub.realtime.changes import Change, from_log, unpack
from hub.realtime.stream import Entry, Stream

LOG = logs.get(__name__)
PAGE = 500
RETRY_SECONDS = 0.05

Deliver = Callable[[int, list[Change]], None]
Renew = Callable[[], None]


class LogReader:
    """Reads for one worker. `deliver(epoch, changes)` and `renew()` (history was replaced) are synchronous."""

    def __init__(self, *, database: Database, redis_url: str, deliver: Deliver, renew: Renew) -> None:
        self._database = database
        self._redis_url = redis_url
        self._deliver = deliver
        self._renew = renew
        self.epoch = 0
        self.pos = 0
        self._confirmed_at = 0.0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def silence_seconds(self) -> float:
        """How long ago this worker last knew that it has everything: the canary of readiness."""
        return time.monotonic() - self._confirmed_at

    async def start(self) -> None:
        """Begin at the present end of the log. Waits for the database for as long as it takes."""
        while True:
            try:
                async with self._database.connection() as connection:
                    here = await pipeline.HERE.row(connection)
                if here is not None:
                    self.epoch, self.pos = here["epoch"], here["pos"]
                    self._confirmed_at = time.monotonic()
                    return
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                LOG.info("waiting for the database", error=str(error))
            await asyncio.sleep(RETRY_SECONDS * 2)

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                await self._catch_up("reconnect")
                async with Stream(self._redis_url, take=self._take_entries, place=self._place) as stream:
                    while True:
                        await self._catch_up(await stream.until_trouble())
            except (OSError, hiredis.ReplyError) as error:
                LOG.info("redis is away", error=str(error))
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                LOG.info("the database is away", error=str(error) or type(error).__name__)
            except Exception:
                LOG.exception("the log reader failed")
            await asyncio.sleep(RETRY_SECONDS)

    def _place(self) -> str:
        return f"{self.epoch}-{self.pos}"

    async def passed(self, pos: int) -> None:
        """Wait until `pos` has been delivered here."""
        if self.pos >= pos:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((pos, future))
        await future

    def _take_entries(self, entries: list[Entry]) -> str | None:
        """Deliver all that came in one answer together; why the log must be read when a hole is found."""
        changes: list[Change] = []
        reached = self.pos
        for (epoch, pos), first, body in entries:
            if epoch != self.epoch or first > reached + 1:
                self._take(changes)
                return "hole"
            if pos > reached:
                changes += unpack(body)
                reached = pos
        self._take(changes)
        self._confirmed_at = time.monotonic()
        return None

    async def _catch_up(self, why: str) -> None:
        """Read the log from the own place to its end."""
        metrics.LOG_READS.labels(why).inc()
        while True:
            async with self._database.transaction("repeatable_read", read_only=True) as connection:
                here = await pipeline.HERE.only(connection)
                rows: Any = await pipeline.LOG_AFTER.rows(connection, pos=self.pos, most=PAGE)
            if here["epoch"] != self.epoch or here["pos"] < self.pos or (rows and rows[0]["pos"] != self.pos + 1):
                LOG.warning("history was replaced", epoch=here["epoch"], pos=here["pos"])
                self.epoch, self.pos = here["epoch"], here["pos"]
                self._renew()
            else:
                self._take([from_log(row) for row in rows])
            if len(rows) < PAGE:
                self._confirmed_at = time.monotonic()
                self._wake()
                return

    def _take(self, changes: list[Change]) -> None:
        fresh = [change for change in changes if change.pos > self.pos]
        if not fresh:
            return
        self._deliver(self.epoch, fresh)
        self.pos = fresh[-1].pos
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiters = self._waiters, []
        for pos, future in waiting:
            if pos <= self.pos and not future.done():
                future.set_result(None)
            elif not future.done():
                self._waiters.append((pos, future))
