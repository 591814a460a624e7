"""Writers that behave as badly as real ones: they dawdle before committing, change their minds, and lose connections.

They keep what was acknowledged to them. What was not may have happened once or not at all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg

from db.connection import DATABASE_AWAY
from db.statement import Connection
from tests.faults.oracles import ROLLED_BACK, Place
from tests.town import Town, place

RENAME = "update item set name = $2 where id = $1 returning id::text, version"
HAND_OVER = "update orders set rider_id = $2 where id = $1 returning id::text, version"
ACCEPT = "update orders set status = 'accepted' where id = $1 and status = 'placed' returning id::text, version"
DELETE_PAYMENT = "delete from payment where order_id = $1 returning id::text, version + 1"
DELETE_LINE = """
delete from order_line where id = (select id from order_line where order_id = $1 limit 1)
returning id::text, version + 1
"""
AWAY_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Writer:
    """One writer; `run` it until it is cancelled."""

    database_url: str
    town: Town
    chance: random.Random
    acknowledged: list[Place] = field(default_factory=list)
    told: Callable[[], None] = lambda: None
    _order_ids: list[str] = field(default_factory=list)
    _made: list[Place] = field(default_factory=list)

    async def run(self) -> None:
        """Write for ever; connect again whenever the database comes back."""
        while True:
            try:
                conn = await asyncpg.connect(self.database_url, timeout=15, command_timeout=30)
            except (*DATABASE_AWAY, asyncpg.PostgresError):
                await asyncio.sleep(AWAY_SECONDS)
                continue
            try:
                while True:
                    await self._transaction(conn)
            except (*DATABASE_AWAY, asyncpg.PostgresConnectionError):
                continue
            finally:
                conn.terminate()

    async def _transaction(self, conn: Connection) -> None:
        self._made.clear()
        transaction = conn.transaction()
        await transaction.start()
        try:
            is_undone = self.chance.random() < 0.03
            await self._work(conn, ROLLED_BACK if is_undone else f"name {self.chance.random()}")
            if self.chance.random() < 0.3:
                await conn.execute("select pg_sleep($1)", self.chance.random() * 0.03)
        except (asyncpg.DeadlockDetectedError, asyncpg.IntegrityConstraintViolationError):
            await transaction.rollback()
            return
        if is_undone:
            await transaction.rollback()
            return
        await transaction.commit()
        self.acknowledged += self._made
        self.told()

    async def _work(self, conn: Connection, name: str) -> None:
        kinds: tuple[Callable[[Connection, str], Awaitable[None]], ...] = (
            self._rename, self._rename, self._place, self._hand_over, self._delete,
        )  # fmt: skip
        await self.chance.choice(kinds)(conn, name)
        if self.chance.random() < 0.2:
            inner = conn.transaction()
            await inner.start()
            await conn.execute(RENAME, self.chance.choice(self.town.item_ids), ROLLED_BACK)
            await inner.rollback()

    async def _rename(self, conn: Connection, name: str) -> None:
        for item_id in sorted(self.chance.sample(self.town.item_ids, self.chance.randint(1, 3))):
            await self._note(conn, "item", RENAME, item_id, name)

    async def _place(self, conn: Connection, name: str) -> None:
        placed = await place(conn, self.town, customer=self.chance.randrange(len(self.town.customer_ids)))
        self._made.append(("order", placed.order_id, 1))
        if name == ROLLED_BACK:
            await conn.execute("update orders set note = $2 where id = $1", placed.order_id, name)
        else:
            self._order_ids.append(placed.order_id)

    async def _hand_over(self, conn: Connection, name: str) -> None:
        if self._order_ids and name != ROLLED_BACK:
            order_id = self.chance.choice(self._order_ids)
            await self._note(conn, "order", HAND_OVER, order_id, self.chance.choice((None, *self.town.rider_ids)))
            await self._note(conn, "order", ACCEPT, order_id)

    async def _delete(self, conn: Connection, name: str) -> None:
        if self._order_ids and name != ROLLED_BACK:
            order_id = self.chance.choice(self._order_ids)
            await self._note(conn, "payment", DELETE_PAYMENT, order_id)
            await self._note(conn, "line", DELETE_LINE, order_id)

    async def _note(self, conn: Connection, entity: str, query: str, *values: object) -> None:
        for row in await conn.fetch(query, *values):
            self._made.append((entity, row[0], row[1]))
