"""What has been kept long enough: answers of old requests, and old days of the change log."""

from __future__ import annotations

from functools import partial

from db.connection import Database
from db.idempotency import FORGET
from db.pipeline import ENSURE_DAYS
from db.upkeep import OLD_DAYS, drop_day
from hub.jobs.runner import Job


async def forget(database: Database, *, change_log_days: int) -> int:
    """Forget old answers and drop old days, and make room for the coming ones; how many rows and days went."""
    async with database.connection() as connection:
        await ENSURE_DAYS.run(connection)
        gone = await FORGET.run(connection)
        for row in await OLD_DAYS.rows(connection, keep=change_log_days):
            await drop_day(connection, row["day"])
            gone += 1
        return gone


def job(change_log_days: int) -> Job:
    """The job for a log of so many whole days."""
    return Job(name="forget", work=partial(forget, change_log_days=change_log_days), every_seconds=600.0)
