"""A hall: two workers of one hub, or two hubs, over one database, a sequencer, a town, and people who listen at either.

The workers of one hub share its door, and the kernel lets whichever is quicker open it: `Hall.listen` holds the others
still for the moment in which somebody enters.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psutil
import pytest

from hub.client.errors import AskRefused
from hub.client.socket import Socket, open_socket
from hub.embedded.lifeline import spawn
from hub.embedded.ports import LOOPBACK, answers, claim
from hub.embedded.process import Process, Recipe
from hub.embedded.readiness import Announcements
from tests.signing import token_for
from tests.town import DATA_SECRET, PATIENCE_SECONDS, SECRET, Town, found, sequenced, sequencing

SERVED = ("-m", "hub.cli")
RENAME = "update item set name = $2 where id = $1"
PACE_SECONDS = 0.005
SESSION = """
insert into session (person_id, kind, expires_at) values ($1, 'minted', clock_timestamp() + interval '1 hour')
returning id::text
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubProcess:
    """One hub and where it answers."""

    url: str
    process: Process
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def workers(self) -> list[psutil.Process]:
        """Those of its processes that serve, oldest first: they alone talk to Postgres."""
        assert self.process.process_id is not None
        children = psutil.Process(self.process.process_id).children(recursive=True)
        return [child for child in children if any(row.status == "ESTABLISHED" for row in child.net_connections("tcp"))]

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """While this lasts nobody but one of its workers moves."""
        others = [other for number, other in enumerate(self.workers()) if number != worker]
        for other in others:
            os.kill(other.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for other in others:
                os.kill(other.pid, signal.SIGCONT)


def hub_process(
    database_url: str, redis_url: str, directory: Path, *, program: tuple[str, ...] = SERVED, **settings: object
) -> HubProcess:
    """A hub of the production profile, not started; `program` is what Python runs in place of the command line."""
    port = claim(0, name="a hub")
    url = f"http://{LOOPBACK}:{port}"
    heard = Announcements(directory / f"{port}")
    log = directory / f"{port}.log"
    workers = int(str(settings.get("hub_workers", 1)))
    environment = {
        "HOTPASS_DATABASE_URL": database_url, "HOTPASS_REDIS_URL": redis_url, "HOTPASS_SECRET_KEY": SECRET,
        "HOTPASS_DATA_KEY": DATA_SECRET, "HOTPASS_HUB_PORT": str(port), "HOTPASS_HUB_URL": url,
        "HOTPASS_READY_SOCKET": str(heard.path), "HOTPASS_DRAIN_SECONDS": "0",
        **{f"HOTPASS_{name.upper()}": str(value) for name, value in settings.items()},
    }  # fmt: skip
    command = [sys.executable, "-P", *program, "serve", "hub"]
    recipe = Recipe(
        name=f"hub {port}", log=log, prepare=heard.open_anew, release=heard.close,
        launch=partial(spawn, command, log=log, environment=environment),
        is_ready=lambda _: heard.count() >= workers and answers(port),
        stop_seconds=PATIENCE_SECONDS,
    )  # fmt: skip
    return HubProcess(url=url, process=Process(recipe), log=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """Two running workers at one or two addresses, the database below them, and its town."""

    urls: tuple[str, ...]
    conn: Any
    town: Town

    @property
    def topic(self) -> str:
        return f"kitchen:{self.town.kitchen_id}"

    async def rename(self, name: str, *, item: int = 0) -> None:
        await self.conn.execute(RENAME, self.town.item_ids[item], name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Hall):
    """A hall whose hubs are processes: one of two workers, or two of any number."""

    hubs: tuple[HubProcess, ...]
    database_url: str

    async def listen(self, sockets: AsyncExitStack, worker: int, token: str) -> Listener:
        """Somebody at worker 0 or 1, until the stack is closed. Raises `ConnectRefused`."""
        if len(self.hubs) > 1:
            return await listen_at(sockets, self.urls[worker], token)
        with self.hubs[0].only(worker):
            return await listen_at(sockets, self.urls[0], token)


@asynccontextmanager
async def pair_of_hubs(database_url: str, redis_url: str, *, hubs: int = 2, **settings: object) -> AsyncIterator[Pair]:
    """Hubs of a town of their own, started together, until the end of the block."""
    conn = await asyncpg.connect(database_url)
    town = await found(conn)
    with tempfile.TemporaryDirectory(prefix="hubs-") as name:
        started = tuple(hub_process(database_url, redis_url, Path(name), **settings) for _ in range(hubs))
        async with sequencing(database_url, redis_url):
            await sequenced(conn)
            try:
                await asyncio.gather(*(hub.process.start_async() for hub in started))
                urls = tuple(hub.url for hub in started)
                yield Pair(urls=urls, hubs=started, conn=conn, town=town, database_url=database_url)
            finally:
                await asyncio.gather(*(hub.process.stop_async() for hub in started))
    await conn.close()


@dataclass(slots=True)
class Writer:
    """Gives one dish a new name over and over, on a connection of its own."""

    names: list[str] = field(default_factory=list)
    written: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, database_url: str, item_id: str) -> None:
        """Write until cancelled; a name counts once it is committed."""
        conn = await asyncpg.connect(database_url)
        try:
            while True:
                await conn.execute(RENAME, item_id, name := f"name {len(self.names)}")
                self.names.append(name)
                self.written.set()
                await asyncio.sleep(PACE_SECONDS)  # a pace, not a wait
        finally:
            conn.terminate()

    async def more(self, number: int = 5) -> None:
        """Wait until so many more names were written."""
        wanted = len(self.names) + number
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.names) < wanted:
                self.written.clear()
                await self.written.wait()


@asynccontextmanager
async def writing(pair: Pair, *, item: int = 0) -> AsyncIterator[Writer]:
    """A writer of one of the town's dishes until the end of the block."""
    writer = Writer()
    task = asyncio.create_task(writer.run(pair.database_url, pair.town.item_ids[item]))
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def token_of(person_id: str, *, session_id: str = "", lifetime_seconds: int = 600) -> str:
    """An access token of a session, or of the one that `person` opened."""
    return token_for(person_id, secret=SECRET, session_id=session_id, lifetime_seconds=lifetime_seconds)


@dataclass(slots=True, kw_only=True)
class Listener:
    """One joined socket and every event it was sent."""

    socket: Socket
    events: list[tuple[str, Any]] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def subscribe(self, topic: str, **place: Any) -> dict[str, Any]:
        """The answer. Raises `AskRefused`."""
        return await self.socket.ask("subscribe", {"topic": topic, **place})

    async def refused(self, event: str, payload: Any) -> AskRefused:
        """How a question that must not be answered is refused."""
        with pytest.raises(AskRefused) as refusal:
            await self.socket.ask(event, payload)
        return refusal.value

    def told(self, event: str) -> list[Any]:
        return [payload for name, payload in self.events if name == event]

    def offsets(self, topic: str) -> list[int]:
        return [change["offset"] for change in self.changes(topic)]

    def changes(self, topic: str) -> list[dict[str, Any]]:
        return [change for change in self.told("change") if change["topic"] == topic]

    def names(self, topic: str) -> list[str]:
        """The names of dishes that were told, one for each `rename`."""
        return [change["row"]["name"] for change in self.changes(topic) if change["entity"] == "item"]

    async def until(self, fact: Callable[[], Any]) -> Any:
        """The first truthy value of `fact()`, looked at after every event and at the end of the socket."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (value := fact()):
                self.heard.clear()
                await self.heard.wait()
            return value


async def listen_at(sockets: AsyncExitStack, url: str, token: str) -> Listener:
    """Join a hub by an access token until the stack is closed. Raises `ConnectRefused`."""
    return await listen_as(sockets, url, {"token": token})


async def listen_as(sockets: AsyncExitStack, url: str, auth: dict[str, str]) -> Listener:
    """Join a hub in any way until the stack is closed. Raises `ConnectRefused`."""
    events: list[tuple[str, Any]] = []
    heard = asyncio.Event()

    def keep(name: str, payload: msgspec.Raw) -> None:
        events.append((name, msgspec.json.decode(payload)))
        heard.set()

    socket = await open_socket(url, auth, on_event=keep, on_lost=lambda _: heard.set())
    sockets.callback(socket.abort)
    return Listener(socket=socket, events=events, heard=heard)
