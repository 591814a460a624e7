"""Keeps a household of processes running: starts them together, restarts what dies, stops them together.

start ──► all ready ──► watch: a dead one is started again after 0.2, 0.4, … 10 s ──► stop
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

from hub.embedded.errors import EmbeddedError
from hub.embedded.process import Process

WATCH_SECONDS = 0.1
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
STEADY_SECONDS = 30.0  # one that lived this long starts over with the first wait

Tell = Callable[[str, str], None]  # the name of a process, and what became of it


class Supervisor:
    """Owns processes; all of them are started on the thread of the loop, which must be the main thread."""

    def __init__(self, processes: Sequence[Process], *, tell: Tell) -> None:
        self._processes = tuple(processes)
        self._tell = tell
        self.restarts = 0

    async def start(self) -> None:
        """Start all at once and wait until all are ready; the first failure is raised, and then none runs."""
        starts = [asyncio.create_task(self._start(process)) for process in self._processes]
        try:
            done, _ = await asyncio.wait(starts, return_when=asyncio.FIRST_EXCEPTION)
            for start in done:
                start.result()
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.stop()
            raise

    async def watch(self, *others: Process) -> None:
        """Restart whatever dies, `others` too (the engines); runs until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for process in (*self._processes, *others):
                group.create_task(self._keep(process))

    async def stop(self) -> None:
        """Ask all to stop, last started first, and wait for all; the engines that they use are stopped after that."""
        await asyncio.gather(*(process.stop_async() for process in reversed(self._processes)))

    def kill(self) -> None:
        """End everything at once: the second Ctrl-C."""
        for process in self._processes:
            process.kill()

    async def _start(self, process: Process) -> None:
        began = monotonic()
        await process.start_async()
        self._tell(process.name, f"ready in {monotonic() - began:.1f} s")

    async def _keep(self, process: Process) -> None:
        wait_seconds, began = FIRST_WAIT_SECONDS, monotonic()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if process.process_id is not None or not process.is_wanted:
                continue
            wait_seconds = FIRST_WAIT_SECONDS if monotonic() - began > STEADY_SECONDS else wait_seconds
            self._tell(process.name, f"died; starting it again in {wait_seconds:.1f} s")
            await asyncio.sleep(wait_seconds)
            wait_seconds, began = min(wait_seconds * 2, LONGEST_WAIT_SECONDS), monotonic()
            self.restarts += 1
            try:
                await self._start(process)
            except EmbeddedError as failure:
                self._tell(process.name, str(failure))
