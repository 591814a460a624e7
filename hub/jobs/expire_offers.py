"""Offers that no rider answered: the next rider is asked."""

from __future__ import annotations

from db.connection import Database
from db.context import context
from db.offer_moves import EXPIRE
from hub.jobs.runner import Job


async def expire_offers(database: Database) -> int:
    """Expire at most 200 offers; how many. Their deliveries wait again unless another offer of theirs lives."""
    async with database.connection() as connection:
        return len(await EXPIRE.rows(connection, context=context(actor="clock", reason="no answer in time")))


JOB = Job(name="expire_offers", work=expire_offers, every_seconds=0.25, full_batch=200)
