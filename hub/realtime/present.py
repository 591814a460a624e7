"""What a subscriber is given first: what it missed, or the whole present state, each at an exact offset.

One REPEATABLE READ transaction reads the place of the log and everything else. Rows may be newer than the offset (the
version rule of the clients covers that); rows that have left the topic and are not yet sequenced are named as `gone`.

Invariant: a large answer takes as long as it takes, but nobody waits for it except who asked: what is made of its rows
is made in slices, and the loop turns between them. The transaction keeps all of it at one place meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from db import pipeline
from db.connection import Database
from db.snapshots import SNAPSHOT
from db.statement import Connection, Record
from hub.domain.topics import Topic
from hub.domain.views import cut
from hub.realtime.changes import Change

MOST_REPLAYED = 20_000
PAGE_BYTES = 128 * 1024
# Of 11 µs each on two cores of 2023: a neighbour waits 3 ms.
ITEMS_PER_TURN = 250

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The answer to a subscribe. The pages hold changes when `is_recovered`, else snapshot rows.

    `pages` are JSON lists of about `PAGE_BYTES`, at least one: encoded once for all who share it.
    """

    epoch: int
    offset: int
    is_recovered: bool
    pages: list[bytes]
    gone: list[dict[str, Any]] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """What is held while a client takes the pages."""
        return sum(map(len, self.pages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A present state and where it was read: at `pos` of the log. `changes` are JSON texts, none of a snapshot."""

    pos: int
    present: Present
    changes: list[bytes] = field(default_factory=list)


async def in_slices(items: Iterable[Item]) -> AsyncIterator[Item]:
    """The items in their order; the loop turns after every `ITEMS_PER_TURN`."""
    for number, item in enumerate(items, 1):
        yield item
        if number % ITEMS_PER_TURN == 0:
            await asyncio.sleep(0)


def paged(items: list[bytes]) -> list[bytes]:
    """JSON lists of about `PAGE_BYTES`; one empty list when there is nothing."""
    pages: list[list[bytes]] = [[]]
    size = 0
    for item in items:
        if size + len(item) > PAGE_BYTES and pages[-1]:
            pages.append([])
            size = 0
        pages[-1].append(item)
        size += len(item)
    return [b"[%b]" % b",".join(page) for page in pages]


async def read_present(database: Database, topic: Topic, *, epoch: int | None, offset: int | None) -> Reading:
    """What a subscriber at (`epoch`, `offset`) must be given; None, None for one that knows nothing.

    Everything after its offset when the log still has it, else a snapshot; never `recovered` when something is missing.
    """
    async with database.transaction("repeatable_read", read_only=True) as connection:
        here = await pipeline.HERE.only(connection)
        span = await pipeline.TOPIC_SPAN.only(connection, topic=str(topic))
        if epoch == here["epoch"] and offset is not None:
            changes = await _replay(
                connection, topic, here["epoch"], after=offset, head=span["head"], first=span["first"]
            )
            if changes is not None:
                return _reading(here, span["head"], paged(changes), changes, is_recovered=True)
        rows = await _rows(connection, topic)
        gone = await _gone(connection, topic, here["snapshot"], rows)
    items = [
        orjson.dumps({"entity": entity, "id": entity_id, "version": row["version"], "row": row})
        async for (entity, entity_id), row in in_slices(rows.items())
    ]
    return _reading(here, span["head"], paged(items), [], is_recovered=False, gone=gone)


def _reading(here: Record, offset: int, pages: list[bytes], changes: list[bytes], **rest: Any) -> Reading:
    present = Present(epoch=here["epoch"], offset=offset, pages=pages, **rest)
    return Reading(pos=here["pos"], present=present, changes=changes)


async def _replay(
    connection: Connection, topic: Topic, epoch: int, *, after: int, head: int, first: int | None
) -> list[bytes] | None:
    """The changes of (after, head] as JSON; None when the log cannot give every one of them."""
    if after == head:
        return []
    if not 0 <= after < head or head - after > MOST_REPLAYED or first is None or first > after + 1:
        return None
    rows = await pipeline.REPLAY.rows(connection, topic=str(topic), after=after, until=head, most=MOST_REPLAYED)
    if len(rows) != head - after:
        return None
    bodies = []
    async for row in in_slices(rows):
        change = Change(0, row["entity"], row["entity_id"], row["version"], row["event"], row["row"], row["at"], [])
        body = change.body(str(topic), topic.kind, epoch, row["topic_offset"], row["op"])
        if body is None:
            return None
        bodies.append(body)
    return bodies


async def _rows(connection: Connection, topic: Topic) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for entity, statement in SNAPSHOT[topic.kind].items():
        async for (text,) in in_slices(await statement.rows(connection, key=topic.key)):
            row = orjson.loads(text)
            found[entity, row["id"]] = cut(entity, topic.kind, row)
    return found


async def _gone(
    connection: Connection, topic: Topic, snapshot: str, rows: dict[tuple[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    left = await pipeline.LEFT_BEHIND.rows(connection, topic=str(topic), snapshot=snapshot)
    return [
        {"entity": row["entity"], "id": row["entity_id"], "version": row["version"]}
        for row in left
        if rows.get((row["entity"], row["entity_id"]), {"version": 0})["version"] < row["version"]
    ]
