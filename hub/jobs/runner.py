"""Runs every job at its own pace while this process leads; stands by otherwise.

A job does one batch and says how many rows it touched; a full batch is followed by the next at once. A job that fails
is logged, counted and tried again at its next turn: it never takes the others with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from db.connection import DATABASE_AWAY, Database
from db.leadership import leadership
from hub.observability import logs, metrics

LOG = logs.get(__name__)
STANDBY_SECONDS = 1.0
Work = Callable[[Database], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A named job: `work` does one batch and gives how many rows it touched; `full_batch` means there may be more."""

    name: str
    work: Work
    every_seconds: float
    full_batch: int = 1_000_000


async def run_jobs(*, database: Database, direct_url: str, jobs: Sequence[Job], after: Callable[[], None]) -> None:
    """Lead when nobody else does, for ever. `after` is called when a job has changed something."""
    while True:
        try:
            async with leadership(direct_url, "jobs") as connection:
                if connection is not None:
                    LOG.info("leads the jobs")
                    await _lead(database, jobs, after, lambda: not connection.is_closed())
        except DATABASE_AWAY as error:
            LOG.info("the database is away", error=str(error) or type(error).__name__)
        await asyncio.sleep(STANDBY_SECONDS)


async def _lead(
    database: Database, jobs: Sequence[Job], after: Callable[[], None], is_leading: Callable[[], bool]
) -> None:
    tasks = [asyncio.create_task(_repeat(database, job, after)) for job in jobs]
    try:
        while is_leading():
            await asyncio.sleep(STANDBY_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(database: Database, job: Job, after: Callable[[], None]) -> None:
    while True:
        touched = 0
        try:
            touched = await job.work(database)
        except Exception:
            metrics.JOB_RUNS.labels(job.name, "failed").inc()
            LOG.exception("a job failed", job=job.name)
        else:
            metrics.JOB_RUNS.labels(job.name, "done").inc()
            metrics.JOB_ITEMS.labels(job.name).inc(touched)
        if touched:
            after()
        if touched < job.full_batch:
            await asyncio.sleep(job.every_seconds)
