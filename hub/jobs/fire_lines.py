"""Lines whose time has come go to their stations."""

from __future__ import annotations

from db.connection import Database
from db.context import context
from db.lines import FIRE
from hub.jobs.runner import Job


async def fire_lines(database: Database) -> int:
    """Fire at most 500 due lines of orders that their kitchens took; how many."""
    async with database.connection() as connection:
        return await FIRE.run(connection, context=context(actor="clock"))


JOB = Job(name="fire_lines", work=fire_lines, every_seconds=0.2, full_batch=500)
