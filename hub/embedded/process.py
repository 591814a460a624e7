"""One process, an engine or a part of Hotpass: start, stop, kill, restart as its recipe says.

A start has three steps: `prepare` may block; the launch happens on the calling thread, which must outlive the process
(see `lifeline`); then the recipe is asked until the process is ready.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from hub.embedded.errors import ProcessFailed

POLL_SECONDS = 0.01
START_SECONDS = 60.0  # a crash recovery of 4 GB of log takes most of this on a slow disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one kind of process is run."""

    name: str
    log: Path
    launch: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[int], bool]  # asked with the process id, often
    prepare: Callable[[], None] = lambda: None
    release: Callable[[], None] = lambda: None  # what `prepare` took, after a stop
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0


class Process:
    """A process made from its recipe; not safe for use from two threads at once."""

    def __init__(self, recipe: Recipe) -> None:
        self.name = recipe.name
        self.is_wanted = False  # it was started and nobody stopped it
        self._recipe = recipe
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """The id of the running process, else None."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Start and wait until it is ready. Raises `ProcessFailed` with its last words; then it does not run."""
        self._recipe.prepare()
        child, deadline = self._launch(), monotonic() + START_SECONDS
        while not self._is_settled(child, deadline):
            with suppress(subprocess.TimeoutExpired):
                child.wait(POLL_SECONDS)

    async def start_async(self) -> None:
        """As `start`, without blocking the loop; the loop runs on a thread that outlives the process."""
        await asyncio.to_thread(self._recipe.prepare)
        child, deadline = self._launch(), monotonic() + START_SECONDS
        while not self._is_settled(child, deadline):
            await asyncio.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop in an orderly way; kill when that takes too long. Does nothing to what does not run."""
        if child := self._ask_to_stop():
            try:
                child.wait(self._recipe.stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._recipe.release()

    async def stop_async(self) -> None:
        """As `stop`, without blocking the loop."""
        if child := self._ask_to_stop():
            deadline = monotonic() + self._recipe.stop_seconds
            while child.poll() is None and monotonic() < deadline:
                await asyncio.sleep(POLL_SECONDS)
            self.kill()
        self._recipe.release()

    def kill(self) -> None:
        """kill -9, and wait until the process is gone. Does nothing to what does not run."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def restart(self) -> None:
        """kill -9 and start again."""
        self.kill()
        self.start()

    async def restart_async(self) -> None:
        """As `restart`, without blocking the loop."""
        self.kill()
        await self.start_async()

    def _launch(self) -> subprocess.Popen[bytes]:
        self.is_wanted = True
        self._child = self._recipe.launch()
        return self._child

    def _ask_to_stop(self) -> subprocess.Popen[bytes] | None:
        self.is_wanted = False
        if self._child is None or self._child.poll() is not None:
            return None
        self._child.send_signal(self._recipe.stop_signal)
        return self._child

    def _is_settled(self, child: subprocess.Popen[bytes], deadline: float) -> bool:
        """Whether it is ready; raises when it ended or the deadline is over."""
        recipe = self._recipe
        if (code := child.poll()) is not None:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise ProcessFailed(name=recipe.name, what=how, log=recipe.log)
        if recipe.is_ready(child.pid):
            return True
        if monotonic() > deadline:
            self.kill()
            raise ProcessFailed(name=recipe.name, what=f"was not ready after {START_SECONDS:.0f} s", log=recipe.log)
        return False
