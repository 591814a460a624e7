"""One engine process, and how to start, stop, kill and restart it on its own port.

A start has three steps: `prepare` and `await_ready` may block and run in any thread; the launch itself happens on the
thread that must outlive the engine (see `lifeline`), so `start_async` keeps it on the loop's.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from hub.embedded.errors import ProcessFailed

POLL_SECONDS = 0.01
START_SECONDS = 60.0  # a crash recovery of 4 GB of log takes most of this on a slow disk
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one kind of engine is run."""

    name: str
    port: int
    log: Path
    stop_signal: signal.Signals
    prepare: Callable[[], None]
    launch: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[int], bool]  # asked with the process id


class Engine:
    """An engine that was started from its recipe; not safe for use from two threads at once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """The id of the running process, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until it serves. Raises `ProcessFailed` with the engine's last words."""
        self.recipe.prepare()
        self._process = self.recipe.launch()
        self._await_ready(self._process)

    async def start_async(self) -> None:
        """As `start`, without blocking the loop; call it on the main thread's loop."""
        await asyncio.to_thread(self.recipe.prepare)
        self._process = self.recipe.launch()
        await asyncio.to_thread(self._await_ready, self._process)

    def stop(self) -> None:
        """Stop in an orderly way; kill when that takes longer than 30 s. A stopped engine stays stopped."""
        if self.process_id is None or self._process is None:
            return
        self._process.send_signal(self.recipe.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9, and wait until the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """kill -9 and start again, on the same port and data."""
        self.kill()
        self.start()

    async def restart_async(self) -> None:
        """As `restart`, without blocking the loop."""
        self.kill()
        await self.start_async()

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        recipe = self.recipe
        deadline = monotonic() + START_SECONDS
        while not recipe.is_ready(process.pid):
            try:
                code = process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
                self.kill()
                raise ProcessFailed(name=recipe.name, what="was not ready in time", log=recipe.log) from None
            raise ProcessFailed(name=recipe.name, what=f"ended with code {code}", log=recipe.log)
