"""One reading of the present state for everybody who asks for the same at once.

    asks ─► a reading of it has not begun yet: wait for that one
         └► else begin one, as soon as the one under way is over

Invariant: a reading begins after everybody who shares it has asked, and so after they have joined the topic: its place
is nowhere before theirs, exactly as if each had read alone. Ten thousand who come back at once cost as many statements
as fit one after the other into the time of their coming.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from db.connection import Database
from hub.domain.topics import Topic
from hub.realtime.endings import end_all
from hub.realtime.present import Reading, read_present

# What was asked: the topic's name, and the place (epoch, offset) of somebody who comes back.
Asked = tuple[str, int | None, int | None]


class Readings:
    """The readings of one worker, under way and to come."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: dict[Asked, asyncio.Task[Reading]] = {}
        self._to_come: dict[Asked, asyncio.Task[Reading]] = {}
        self._awaited: Counter[asyncio.Task[Reading]] = Counter()

    async def read(self, topic: Topic, *, epoch: int | None, offset: int | None) -> Reading:
        """As `read_present`, shared. What it raises, everybody who shares it hears."""
        asked = (str(topic), epoch, offset)
        reading = self._to_come.get(asked)
        if reading is None:
            reading = self._to_come[asked] = asyncio.create_task(self._read(topic, asked))
            reading.add_done_callback(_heard)
        self._awaited[reading] += 1
        try:
            # Whoever gives up waiting does not take it from the others.
            return await asyncio.shield(reading)
        finally:
            self._let_go(asked, reading)

    def _let_go(self, asked: Asked, reading: asyncio.Task[Reading]) -> None:
        """The last who gives up ends it: a client that asks on and on has one reading under way, not many."""
        self._awaited[reading] -= 1
        if not self._awaited[reading]:
            del self._awaited[reading]
            reading.cancel()
            if self._to_come.get(asked) is reading:
                del self._to_come[asked]

    async def stop(self) -> None:
        """End what is under way."""
        await end_all([*self._to_come.values(), *self._under_way.values()])

    async def _read(self, topic: Topic, asked: Asked) -> Reading:
        if asked in self._under_way:
            await asyncio.wait({self._under_way[asked]})
        reading = self._under_way[asked] = self._to_come.pop(asked)
        try:
            return await read_present(self._database, topic, epoch=asked[1], offset=asked[2])
        finally:
            if self._under_way[asked] is reading:
                del self._under_way[asked]


def _heard(reading: asyncio.Task[Reading]) -> None:
    """Take what it raised, for the case that everybody has given up waiting."""
    if not reading.cancelled():
        reading.exception()
