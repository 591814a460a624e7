"""The clients that any integrator takes, unchanged, behind one face: npm's socket.io-client and python-socketio.

Invariant: what a client tells its application is kept as it was told, in order: `connect`, `disconnect` with its
reason, `connect_error`, and every event of the hub.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import socketio

from tests.town import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".hotpass/node"
DRIVEN = ROOT / "tests/realtime/driven_client.mjs"
NODE, NPM = shutil.which("node"), shutil.which("npm")
NPM_VERSION = "4.8.4"
INSTALL_SECONDS = 300
WEBSOCKET, CLIMBING = ("websocket",), ("polling", "websocket")


def modules_of_node() -> Path:
    """Where the one release of socket.io-client that is tested lies; it is fetched when it is not there."""
    told = MODULES / "node_modules/socket.io-client/package.json"
    if not told.exists() or orjson.loads(told.read_bytes())["version"] != NPM_VERSION:
        MODULES.mkdir(parents=True, exist_ok=True)
        wanted = f"socket.io-client@{NPM_VERSION}"
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(MODULES), wanted]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
    return MODULES


class StandardClient(ABC):
    """One client; it reconnects by itself, with the same `auth`, as soon as it may."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._heard = asyncio.Event()

    @abstractmethod
    async def open(self, url: str, auth: dict[str, str], transports: tuple[str, ...] = WEBSOCKET) -> None:
        """Begin to connect; what comes of it is an event."""

    @abstractmethod
    async def ask(self, event: str, payload: Any) -> Any:
        """The acknowledgement of an event."""

    @abstractmethod
    async def close(self) -> None:
        """End it and all that it holds."""

    def keep(self, event: str, payload: Any) -> None:
        """An event has come."""
        self.events.append((event, payload))
        self._heard.set()

    def told(self, event: str) -> list[Any]:
        """The payloads of all events of a name."""
        return [payload for name, payload in self.events if name == event]

    def changes(self, topic: str) -> list[dict[str, Any]]:
        """Every live change of a topic."""
        return [change for change in self.told("change") if change["topic"] == topic]

    async def until(self, fact: Callable[[], Any]) -> Any:
        """The first truthy value of `fact()`, looked at after every event."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (value := fact()):
                self._heard.clear()
                await self._heard.wait()
            return value


class JavaScriptClient(StandardClient):
    """socket.io-client in a process of Node.js."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._node: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, url: str, auth: dict[str, str], transports: tuple[str, ...] = WEBSOCKET) -> None:
        """Start Node and connect."""
        assert NODE is not None
        pipe = asyncio.subprocess.PIPE
        self._node = await asyncio.create_subprocess_exec(
            NODE, DRIVEN, modules_of_node(), stdin=pipe, stdout=pipe, limit=1 << 24
        )
        self._reading = asyncio.create_task(self._read(self._node))
        await self._act("open", url=url, auth=auth, transports=transports)

    async def ask(self, event: str, payload: Any) -> Any:
        """`emitWithAck`."""
        return await self._act("ask", event=event, payload=payload)

    async def close(self) -> None:
        """Node ends with its input."""
        if self._node is not None and self._node.stdin is not None and self._reading is not None:
            self._node.stdin.close()
            await self._node.wait()
            await self._reading

    async def _act(self, act: str, **arguments: Any) -> Any:
        assert self._node is not None and self._node.stdin is not None
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._node.stdin.write(orjson.dumps({"number": number, "act": act, **arguments}) + b"\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer

    async def _read(self, node: asyncio.subprocess.Process) -> None:
        assert node.stdout is not None
        while line := await node.stdout.readline():
            told = orjson.loads(line)
            if "event" in told:
                self.keep(told["event"], told.get("payload"))
            elif not (answer := self._asked.pop(told["number"])).done():
                answer.set_result(told["answer"])


class PythonClient(StandardClient):
    """python-socketio's AsyncClient."""

    def __init__(self) -> None:
        super().__init__()
        self._http: aiohttp.ClientSession | None = None
        self._client: socketio.AsyncClient | None = None

    async def open(self, url: str, auth: dict[str, str], transports: tuple[str, ...] = WEBSOCKET) -> None:
        """Connect; a refusal is told by its event."""
        self._http = aiohttp.ClientSession()
        client = self._client = socketio.AsyncClient(
            http_session=self._http, reconnection_delay=0.02, reconnection_delay_max=0.2, randomization_factor=0
        )
        client.on("connect", lambda: self.keep("connect", client.transport()))
        client.on("disconnect", lambda reason: self.keep("disconnect", reason))
        client.on("connect_error", lambda told: self.keep("connect_error", told))
        client.on("*", self.keep)
        with suppress(socketio.exceptions.ConnectionError):
            await client.connect(url, auth=auth, transports=list(transports), wait_timeout=PATIENCE_SECONDS)

    async def ask(self, event: str, payload: Any) -> Any:
        """`call`."""
        assert self._client is not None
        return await self._client.call(event, payload, timeout=PATIENCE_SECONDS)

    async def close(self) -> None:
        """Whether it is connected or about to be again."""
        if self._client is not None and self._http is not None:
            await self._client.shutdown()
            await self._http.close()


CLIENTS: dict[str, type[StandardClient]] = {"javascript": JavaScriptClient, "python": PythonClient}
