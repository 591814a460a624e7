"""Orders that no kitchen took in time."""

from __future__ import annotations

from db.connection import Database
from db.context import context
from db.order_moves import EXPIRE
from hub.jobs.runner import Job


async def expire_orders(database: Database) -> int:
    """Expire at most 100 orders past their deadline; how many."""
    async with database.connection() as connection:
        return len(await EXPIRE.rows(connection, context=context(actor="clock", reason="not accepted in time")))


JOB = Job(name="expire_orders", work=expire_orders, every_seconds=0.5, full_batch=100)
