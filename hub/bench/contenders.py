"""The servers that are compared, and the crowd of clients that each gets: processes that are started and ended here.

`hotpass` is our engine, `stock_python_socketio` the same library on its own engine, `node_socketio` the reference
implementation, installed from npm into `modules` (an absolute path) when it is not there; without npm it is told why
it is not there.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from hub.bench.crowd import Crowd
from hub.bench.node import NODE, SOCKET_IO, lack_of

OURS, STOCK, NODE_SOCKET_IO = "hotpass", "stock_python_socketio", "node_socketio"
NODE_SERVER = Path(__file__).with_name("broadcaster.mjs")
START_SECONDS = 20.0
JOIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A running server."""

    name: str
    process_id: int
    url: str

    async def ask(self, path: str) -> str:
        """One HTTP request; comes back when the server has done what was asked, with what it told."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(self.url + path) as response:
            return await response.text()


@dataclass(frozen=True, slots=True)
class Audience:
    """A running crowd."""

    process: asyncio.subprocess.Process

    async def ask(self, command: str) -> list[str]:
        """A command of `hub.bench.crowd`; the words of its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command.encode() + b"\n")
        return (await self.process.stdout.readline()).decode().split()


async def contenders(modules: Path) -> tuple[list[str], dict[str, str]]:
    """Who can run here, and why each of the others cannot."""
    lack = await lack_of(modules, SOCKET_IO)
    return ([OURS, STOCK, NODE_SOCKET_IO], {}) if lack is None else ([OURS, STOCK], {NODE_SOCKET_IO: lack})


@asynccontextmanager
async def contender(name: str, port: int, modules: Path, *, rooms: int = 1) -> AsyncIterator[Contender]:
    """A server, for as long as it is needed; its clients are spread over `rooms`."""
    python = (sys.executable, "-m", "hub.bench.broadcasters")
    command = {
        OURS: (*python, "hotpass", str(port), str(rooms)),
        STOCK: (*python, "stock", str(port), str(rooms)),
        NODE_SOCKET_IO: (shutil.which(NODE) or NODE, str(NODE_SERVER), str(port), str(modules), str(rooms)),
    }[name]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    running = Contender(name, process.pid, f"http://127.0.0.1:{port}")
    try:
        await _until_it_answers(running)
        yield running
    finally:
        with suppress(ProcessLookupError):  # it could not start
            process.kill()
        await process.wait()


async def _until_it_answers(running: Contender) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            with suppress(aiohttp.ClientError):
                await running.ask("/quiet")
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def audience(url: str, clients: int) -> AsyncIterator[Audience]:
    """A crowd that has joined, until it has left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub.bench.crowd"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    running = Audience(process)
    try:
        async with asyncio.timeout(JOIN_SECONDS):
            answer = await running.ask(msgspec.json.encode(Crowd(url=url, clients=clients)).decode())
        if answer != ["ready"]:
            raise RuntimeError(f"the crowd could not join {url}")
        yield running
        if process.returncode is None:
            await running.ask("leave")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
