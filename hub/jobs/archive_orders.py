"""Ended orders leave their boards half an hour after their end; they stay readable over HTTP."""

from __future__ import annotations

from db.connection import Database
from db.context import context
from db.upkeep import ARCHIVE
from hub.jobs.runner import Job


async def archive_orders(database: Database) -> int:
    """Archive at most 200 orders with their lines and deliveries; how many."""
    async with database.connection() as connection:
        return len(await ARCHIVE.rows(connection, context=context(actor="clock")))


JOB = Job(name="archive_orders", work=archive_orders, every_seconds=1.0, full_batch=200)
