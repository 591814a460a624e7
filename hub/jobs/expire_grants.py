"""Grants whose time is over are taken, so that open sockets lose them like any other grant."""

from __future__ import annotations

from db.connection import Database
from db.context import context
from db.roles import TAKE_EXPIRED
from hub.jobs.runner import Job


async def expire_grants(database: Database) -> int:
    """Take up to 200 grants that have run out; how many."""
    async with database.connection() as connection:
        return len(await TAKE_EXPIRED.rows(connection, context=context(actor="clock", reason="the grant has run out")))


JOB = Job(name="expire_grants", work=expire_grants, every_seconds=1.0, full_batch=200)
