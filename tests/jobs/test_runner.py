"""The runner: one leader, every job at its own pace, and none takes another with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from db.connection import Database
from hub.jobs.runner import Job, run_jobs
from tests.jobs.conftest import Desk

PATIENCE_SECONDS = 60.0


def running(desk: Desk, *jobs: Job, after: Callable[[], None] = lambda: None) -> asyncio.Task[None]:
    return asyncio.create_task(run_jobs(database=desk.database, direct_url=desk.url, jobs=jobs, after=after))


async def stopped(stack: AsyncExitStack, task: asyncio.Task[None]) -> None:
    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


async def test_a_job_that_fails_takes_no_other_with_it(desk: Desk) -> None:
    done, told = asyncio.Event(), asyncio.Event()
    rounds = 0

    async def fail(database: Database) -> int:
        nonlocal rounds
        rounds += 1
        raise RuntimeError("planted")

    async def work(database: Database) -> int:
        if rounds > 1:
            done.set()
        return 1

    jobs = (
        Job(name="failing", work=fail, every_seconds=0.01),
        Job(name="working", work=work, every_seconds=0.01),
    )
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_SECONDS):
        await stopped(stack, running(desk, *jobs, after=told.set))
        await done.wait()
        await told.wait()


async def test_a_full_batch_is_followed_by_the_next_at_once(desk: Desk) -> None:
    left, empty = 3, asyncio.Event()

    async def work(database: Database) -> int:
        nonlocal left
        if left == 0:
            empty.set()
            return 0
        left -= 1
        return 10

    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_SECONDS):
        await stopped(stack, running(desk, Job(name="batches", work=work, every_seconds=3600.0, full_batch=10)))
        await empty.wait()


async def test_only_one_leads_and_another_follows_when_it_goes(desk: Desk) -> None:
    at_work: list[str] = []
    seen = {"first": asyncio.Event(), "second": asyncio.Event()}

    def job(who: str) -> Job:
        async def work(database: Database) -> int:
            at_work.append(who)
            seen[who].set()
            return 0

        return Job(name="who", work=work, every_seconds=0.01)

    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_SECONDS):
        first = running(desk, job("first"))
        await seen["first"].wait()
        await stopped(stack, running(desk, job("second")))
        seen["first"].clear()
        await seen["first"].wait()
        assert set(at_work) == {"first"}
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await seen["second"].wait()
