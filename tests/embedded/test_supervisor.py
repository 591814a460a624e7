"""A household of processes: ready together, restarted when one dies, stopped in reverse, gone with its supervisor."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from hub.embedded.errors import ProcessFailed
from hub.embedded.lifeline import spawn
from hub.embedded.process import Process, Recipe
from hub.embedded.readiness import Announcements, announce
from hub.embedded.supervisor import Supervisor

READY_THEN_WAIT = """
import sys, signal
from pathlib import Path
from hub.embedded.readiness import announce
for _ in range(int(sys.argv[2])):
    announce(Path(sys.argv[1]))
signal.pause()
"""
SUPERVISE = """
import asyncio, sys
from functools import partial
from pathlib import Path
from hub.embedded.lifeline import spawn
from hub.embedded.process import Process, Recipe
from hub.embedded.supervisor import Supervisor

def child(number):
    log = Path(sys.argv[1]) / str(number)
    sleeper = [sys.executable, "-c", "import signal; signal.pause()"]
    return Process(Recipe(name=str(number), log=log, launch=partial(spawn, sleeper, log=log), is_ready=lambda _: True))

async def run():
    children = [child(number) for number in range(3)]
    supervisor = Supervisor(children, tell=lambda *_: None)
    await supervisor.start()
    print(*[one.process_id for one in children], flush=True)
    await supervisor.watch()

asyncio.run(run())
"""


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A directory with a path that is short enough for a socket."""
    with TemporaryDirectory(prefix="hotpass-") as directory:
        yield Path(directory)


Make = Callable[..., Process]


@pytest.fixture
def make(tmp_path: Path, sockets: Path) -> Make:
    """Makes a process that announces itself so often and is ready when so much is heard."""

    def made(name: str, *, says: int = 1, needs: int = 1, code: str = READY_THEN_WAIT) -> Process:
        heard, log = Announcements(sockets / name), tmp_path / name
        arguments = [sys.executable, "-c", code, str(heard.path), str(says)]
        return Process(
            Recipe(
                name=name,
                log=log,
                prepare=heard.open_anew,
                release=heard.close,
                launch=partial(spawn, arguments, log=log),
                is_ready=lambda _: heard.count() >= needs,
            )
        )

    return made


@asynccontextmanager
async def supervised(*processes: Process):
    told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    supervisor = Supervisor(processes, tell=lambda name, what: told.put_nowait((name, what)))
    await supervisor.start()
    watch = asyncio.create_task(supervisor.watch())
    try:
        yield supervisor, told
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await supervisor.stop()


async def until_told(told: asyncio.Queue[tuple[str, str]], name: str, start: str) -> None:
    async with asyncio.timeout(60):
        while True:
            who, what = await told.get()
            if who == name and what.startswith(start):
                return


async def test_all_are_ready_and_all_are_stopped(make: Make) -> None:
    first, second = make("first"), make("second", says=2, needs=2)
    async with supervised(first, second):
        assert first.process_id and second.process_id
    assert first.process_id is None and second.process_id is None


async def test_one_that_dies_is_started_again(make: Make) -> None:
    first, second = make("first"), make("second")
    async with supervised(first, second) as (supervisor, told):
        await until_told(told, "second", "ready")
        before, other = first.process_id, second.process_id
        first.kill()
        await until_told(told, "first", "died")
        await until_told(told, "first", "ready")
        assert first.process_id not in (None, before)
        assert second.process_id == other
        assert supervisor.restarts == 1


async def test_one_that_ends_before_it_is_ready_fails_the_start_with_its_words(make: Make) -> None:
    good, bad = make("good"), make("bad", code="raise SystemExit('the reason')")
    with pytest.raises(ProcessFailed, match=r"bad ended with code 1(.|\n)*the reason"):
        async with supervised(good, bad):
            pass
    assert good.process_id is None


def test_announcements_of_an_earlier_start_do_not_count(sockets: Path) -> None:
    heard = Announcements(sockets / "one")
    heard.open_anew()
    announce(heard.path)
    heard.open_anew()
    assert heard.count() == 0
    announce(heard.path)
    assert heard.count() == 1
    heard.close()


def test_kill_9_of_the_supervisor_leaves_nobody(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISE, str(tmp_path)], stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    with supervisor.stdout:
        children = [psutil.Process(int(number)) for number in supervisor.stdout.readline().split()]
    assert len(children) == 3
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
