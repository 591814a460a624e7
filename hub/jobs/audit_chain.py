"""The audit is chained row by row, a few seconds after each commit, by the leader of the jobs alone.

A chain inside the trigger would make every commit of the house wait for the one before. The head is logged each minute:
whoever keeps the log elsewhere can show `hotpass verify --anchor` that nothing was cut off since.
"""

from __future__ import annotations

import time

from db.audit import PAGE, chain_on
from db.connection import Database
from hub.gateway.key_file import Rings
from hub.jobs.runner import Job
from hub.observability import logs

LOG = logs.get(__name__)
EVERY_SECONDS = 2.0
TOLD_EVERY_SECONDS = 60.0


def job(rings: Rings) -> Job:
    """The job; the present anchor key signs the anchors and never enters the database."""
    told_at = -TOLD_EVERY_SECONDS

    async def chain(database: Database) -> int:
        nonlocal told_at
        async with database.connection() as connection:
            chained, anchor = await chain_on(connection, rings.anchor_keys[0])
        if chained and time.monotonic() - told_at > TOLD_EVERY_SECONDS:
            told_at = time.monotonic()
            LOG.info("audit anchor", anchor=str(anchor))
        return chained

    return Job(name="audit_chain", work=chain, every_seconds=EVERY_SECONDS, full_batch=PAGE)
