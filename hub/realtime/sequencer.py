"""The sequencer: one leader turns what the outbox newly shows into an order, appends it to the log, and publishes it.

    nudge or 20 ms ─► READ what the stored snapshot could not see ─► arrange() in memory ─► APPEND ─► XADD
                                                                     ▲                      │
                                                                     └── read by the same ──┘

Invariant: the place (`sequencer_place`) moves in the same statement that appends. Whoever dies, and whenever, the next
leader starts from the newest place: nothing is skipped, nothing is given two places. The lock only keeps standbys
quiet; what fences a stale leader is its term, and the key of `sequencer_place`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg

from db import pipeline
from db.connection import DATABASE_AWAY, connect
from db.statement import Connection, Record
from hub.observability import logs, metrics
from hub.realtime.endings import for_ever
from hub.realtime.ordering import MOST_HEADS, arrange, columns, topics_of
from hub.realtime.publisher import Publisher

Rows: TypeAlias = Sequence[Record]

LOG = logs.get(__name__)
LOCK = 7_701
# A batch reaches the clients in one step: it must fit into a topic's ring (settings.topic_ring_changes), from which
# those go on who do not take so much at once. Of 2,000 rows each costs as much (0.2 ms) as of 500.
MOST_ROWS = 500
POLL_SECONDS = 0.02
BEAT_SECONDS = 0.3
STANDBY_SECONDS = 0.1
TERM_CHECK_POLLS = 50
# What is new is always the far end of a growing table, which its statistics do not show: always the index.
PLAN = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}


class Fenced(Exception):
    """A newer term leads: this process stands by again."""


@dataclass(slots=True, kw_only=True)
class Place:
    """Where the sequencer stands: the window (snapshot, target, after_id) and the last `pos` given."""

    number: int
    pos: int
    snapshot: str
    target: str | None
    after_id: int

    def window(self) -> dict[str, Any]:
        """The parameters of what lies behind this place."""
        unseen = pipeline.unseen_by(self.snapshot)
        return {**unseen, "target": self.target, "after_id": self.after_id, "most": MOST_ROWS}


class Sequencer:
    """Runs for ever: stands by, leads, and stands by again when it is fenced or the database is away."""

    def __init__(self, *, database_url: str, redis_url: str, stream_length: int) -> None:
        self._database_url = database_url
        self._wake = asyncio.Event()
        self._publisher = Publisher(redis_url, stream_length=stream_length, on_nudge=self._wake.set)
        self._read_at = 0.0
        self._heads: dict[str, int] = {}
        self._term = 0
        self._epoch = 0
        self._place = Place(number=0, pos=0, snapshot="", target=None, after_id=0)

    async def run(self) -> None:
        """Never returns; ends only by cancellation."""
        loops = {"publisher": self._publisher.run, "poll": self._poll}
        beside = [asyncio.create_task(for_ever(name, run)) for name, run in loops.items()]
        try:
            while True:
                try:
                    await self._stand_by_and_lead()
                except Fenced:
                    metrics.FENCED.inc()
                    LOG.warning("a newer term leads", term=self._term)
                except DATABASE_AWAY as error:
                    LOG.warning("the database is away", error=str(error) or type(error).__name__)
                except asyncpg.PostgresError as error:
                    LOG.warning("the database refused", error=str(error))
                metrics.LEADING.set(0)
                await asyncio.sleep(STANDBY_SECONDS)
        finally:
            for task in beside:
                task.cancel()

    async def _poll(self) -> None:
        """A nudge may be lost: look anyway once nobody has looked for a while."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if time.monotonic() - self._read_at >= POLL_SECONDS:
                self._wake.set()

    async def _stand_by_and_lead(self) -> None:
        main = await connect(self._database_url, application="hotpass sequencer", **PLAN)
        try:
            side = await connect(self._database_url, application="hotpass sequencer side")
            try:
                await self._win(main, side)
                await self._take_over(main)
                beating = asyncio.create_task(self._beat(side))
                try:
                    await self._lead(main, beating)
                finally:
                    beating.cancel()
                    with contextlib.suppress(asyncio.CancelledError, *DATABASE_AWAY):
                        await beating
            finally:
                side.terminate()
        finally:
            main.terminate()

    async def _win(self, main: Connection, side: Connection) -> None:
        while not await pipeline.TRY_LOCK.value(main, lock=LOCK):
            if await pipeline.DEPOSE.rows(side, lock=LOCK):
                LOG.warning("a silent leader was deposed")
            await asyncio.sleep(STANDBY_SECONDS)

    async def _take_over(self, main: Connection) -> None:
        """Raise the term, so that nobody older appends, and read the place that the last one left."""
        await pipeline.ENSURE_DAYS.run(main)
        lead = await pipeline.LEAD.only(main, epoch=0)
        await self._load_place(main)
        if self._publisher.top > (lead["epoch"], self._place.pos):
            # The stream knows a future that this database never had: it was restored from an older copy.
            lead = await pipeline.LEAD.only(main, epoch=self._publisher.top[0] + 1)
        self._term, self._epoch = lead["term"], lead["epoch"]
        self._publisher.mark(self._epoch, self._place.pos)
        metrics.LEADING.set(1)
        LOG.info("leads", term=self._term, epoch=self._epoch, pos=self._place.pos)

    async def _load_place(self, main: Connection) -> None:
        self._place = Place(**await pipeline.PLACE.only(main))
        self._heads.clear()

    async def _lead(self, main: Connection, beating: asyncio.Task[None]) -> None:
        polls = 0
        while True:
            rows = await self._read(main)
            while self._is_work(rows):
                if beating.done():
                    beating.result()  # a leader without a heartbeat would be deposed: stand by again
                rows = await self._advance(main, rows)
            if beating.done():
                beating.result()
            polls += 1
            if polls % TERM_CHECK_POLLS == 0:
                await self._check_term(main)
                if self._publisher.top > (self._epoch, self._place.pos):
                    raise Fenced
            await self._wake.wait()

    async def _check_term(self, main: Connection) -> None:
        newest = await pipeline.TERM.only(main)
        if newest["term"] != self._term:
            raise Fenced

    async def _read(self, main: Connection) -> Rows:
        """What lies behind the place."""
        self._looks()
        return await pipeline.READ.rows(main, **self._place.window())

    def _looks(self) -> None:
        """From here on a nudge means something that the coming statement may not see."""
        self._wake.clear()
        self._read_at = time.monotonic()

    def _is_work(self, rows: Rows) -> bool:
        return len(rows) > 0 or self._place.target is not None

    async def _advance(self, main: Connection, rows: Rows) -> Rows:
        """Give `rows` their places, append and publish them. What lies behind them.

        No rows: the window is worked off exactly, and only now its target becomes the stored snapshot.
        """
        await self._learn_heads(main, rows)
        batch = arrange(rows, pos=self._place.pos, heads=self._heads)
        place = self._place_after(rows)
        try:
            behind = await self._append(main, place, columns(batch))
        except asyncpg.UniqueViolationError:
            # An older leader's last append came between: its place is as good as ours, if nobody newer leads.
            await self._check_term(main)
            await self._load_place(main)
            return await self._read(main)
        except asyncpg.CheckViolationError:
            await pipeline.ENSURE_DAYS.run(main)  # no partition for today yet
            await self._load_place(main)
            return await self._read(main)
        self._place = place
        if batch.changes:
            self._publisher.publish(self._epoch, batch.changes)
            metrics.CHANGES_SEQUENCED.inc(len(batch.changes))
            metrics.BATCH_CHANGES.observe(len(batch.changes))
            delay = datetime.now(UTC) - datetime.fromisoformat(batch.changes[0].at)
            metrics.SEQUENCE_SECONDS.observe(max(0.0, delay.total_seconds()))
        return behind

    def _place_after(self, rows: Rows) -> Place:
        place = self._place
        number, pos = place.number + 1, place.pos + len(rows)
        target = place.target or rows[0]["now"]
        if len(rows) < MOST_ROWS:
            return Place(number=number, pos=pos, snapshot=target, target=None, after_id=0)
        return Place(number=number, pos=pos, snapshot=place.snapshot, target=target, after_id=rows[-1]["id"])

    async def _append(self, main: Connection, place: Place, values: dict[str, str | int]) -> Rows:
        """Write the log up to `place`, and read what lies behind it. Raises `Fenced` when a newer term leads."""
        self._looks()
        behind = await pipeline.APPEND.rows(
            main,
            term=self._term,
            number=place.number,
            pos=place.pos,
            snapshot=place.snapshot,
            **place.window(),
            **values,
        )
        if not behind:
            raise Fenced
        return behind if behind[0]["id"] is not None else []

    async def _learn_heads(self, main: Connection, rows: Rows) -> None:
        if len(self._heads) > MOST_HEADS:
            self._heads.clear()
        unknown = topics_of(rows) - self._heads.keys()
        if unknown:
            for row in await pipeline.HEADS.rows(main, topics=list(unknown)):
                self._heads[row["topic"]] = row["head"]

    async def _beat(self, side: Connection) -> None:
        """Show that the leader lives, and throw away the places it has left."""
        while True:
            await pipeline.BEAT.run(side, term=self._term)
            await pipeline.CLEAN_PLACES.run(side)
            await asyncio.sleep(BEAT_SECONDS)
