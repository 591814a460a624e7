"""The product clock of a worker, and the `head` that tells every client where it should be.

Every 5 s each socket is told the product time and the last offset of each topic it follows: a client that is behind
notices within two heads. Nothing else is sent to an idle board. The sockets take turns over the five seconds, so that
no change waits for a crowd of heads.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import asyncpg
import orjson

from db import kitchens
from db.connection import DATABASE_AWAY, Database
from hub.observability import logs
from hub.realtime.fanout import Fanout
from hub.realtime.frames import event_frame
from hub.realtime.sockets import LiveSocket, Sockets

LOG = logs.get(__name__)
HEAD_SECONDS = 5.0
HEADS_AT_ONCE = 10


class ProductClock:
    """Business time on this worker: read from the database now and then, carried on by the monotonic clock between."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at = time.monotonic()
        self._at: datetime | None = None
        self.rate = 1.0

    async def read(self) -> None:
        """Take the clock from the database. Raises what `DATABASE_AWAY` names."""
        async with self._database.connection() as connection:
            row = await kitchens.CLOCK.only(connection)
        self._read_at, self._at, self.rate = time.monotonic(), row["at"], row["rate"]

    def now(self) -> datetime:
        """The product time now. Raises `RuntimeError` before the first `read`."""
        if self._at is None:
            raise RuntimeError("the product clock was not read yet")
        return self._at + timedelta(seconds=(time.monotonic() - self._read_at) * self.rate)


async def tell_heads(*, clock: ProductClock, fanout: Fanout, sockets: Sockets, left: list[LiveSocket]) -> None:
    """Send every socket its head every 5 s, for ever, some of them at a time.

    `left` are those that this round has not come to yet; called again, it goes on with them.
    """
    while True:
        try:
            await clock.read()
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            LOG.info("the product clock could not be read", error=str(error))
        if not left:
            left.extend(sockets.by_sid.values())
        turns = max(1, -(-len(left) // HEADS_AT_ONCE))
        for _ in range(turns):
            await asyncio.sleep(HEAD_SECONDS / turns)
            for _ in range(min(HEADS_AT_ONCE, len(left))):
                _tell_head(left.pop(), clock, fanout)


def _tell_head(socket: LiveSocket, clock: ProductClock, fanout: Fanout) -> None:
    heads = {}
    for name in socket.follows:
        state = fanout.topics.get(name)
        if state is not None and socket.sid in state.live:
            heads[name] = state.head
    body = {"at": clock.now().isoformat(), "rate": clock.rate, "topics": heads}
    socket.client.write(event_frame("head", orjson.dumps(body)))
