"""The lean Socket.IO client against a stock python-socketio server on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import socketio
from aiohttp import web

from hub.client.errors import AskRefused, ConnectRefused, SocketLost
from hub.client.socket import Socket, open_socket

PATIENCE_SECONDS = 30.0  # a busy machine; nothing waits this long when all is well


@dataclass
class Server:
    """A stock server and what it was told at the connect."""

    url: str
    sio: socketio.AsyncServer
    auths: list[Any] = field(default_factory=list)


@dataclass
class Ear:
    """What a client heard; `lost` is set when its socket has gone."""

    events: asyncio.Queue[tuple[str, Any]] = field(default_factory=asyncio.Queue)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, name: str, payload: msgspec.Raw) -> None:
        self.events.put_nowait((name, msgspec.json.decode(payload)))

    async def open(self, url: str, auth: dict[str, str]) -> Socket:
        return await open_socket(url, auth, on_event=self.hear, on_lost=lambda _: self.lost.set())

    async def next(self) -> tuple[str, Any]:
        return await asyncio.wait_for(self.events.get(), PATIENCE_SECONDS)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    sio = socketio.AsyncServer(async_mode="aiohttp", ping_interval=0.1, ping_timeout=1.5, transports=["websocket"])
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    known = Server(f"http://127.0.0.1:{port}", sio)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        known.auths.append(auth)
        if auth and auth.get("token") == "wrong":
            raise socketio.exceptions.ConnectionRefusedError("no", {"code": "auth.invalid"})

    @sio.on("echo")
    async def echo(sid: str, payload: Any) -> dict[str, Any]:
        return {"ok": True, "back": payload}

    @sio.on("refuse")
    async def refuse(sid: str, payload: Any) -> dict[str, Any]:
        return {"ok": False, "error": {"code": "rate_limited", "message": "slowly", "retry_after": 2}}

    @sio.on("say")
    async def say(sid: str, payload: Any) -> dict[str, Any]:
        for number in range(payload["times"]):
            await sio.emit("told", {"number": number, "text": payload["text"]}, to=sid)
        return {"ok": True}

    @sio.on("deaf")
    async def deaf(sid: str, payload: Any) -> dict[str, Any]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    yield known
    await sio.shutdown()
    await runner.cleanup()


async def test_an_event_is_acknowledged_and_the_token_arrives(server: Server) -> None:
    socket = await Ear().open(server.url, {"token": "right"})
    answer = await socket.ask("echo", {"text": "crêpe", "list": [1, {"deep": "]"}]})
    assert answer["back"] == {"text": "crêpe", "list": [1, {"deep": "]"}]}
    assert server.auths == [{"token": "right"}]
    socket.close()


@pytest.mark.parametrize("size", [1, 120, 126, 5_000, 70_000, 300_000])
async def test_messages_of_every_length_encoding_arrive_in_order(server: Server, size: int) -> None:
    ear = Ear()
    socket = await ear.open(server.url, {})
    await socket.ask("say", {"times": 3, "text": "x" * size})
    heard = [await ear.next() for _ in range(3)]
    assert heard == [("told", {"number": number, "text": "x" * size}) for number in range(3)]
    socket.close()


async def test_a_refused_connection_tells_the_code(server: Server) -> None:
    with pytest.raises(ConnectRefused) as caught:
        await Ear().open(server.url, {"token": "wrong"})
    assert caught.value.code == "auth.invalid"


async def test_a_refused_event_tells_the_code_and_the_socket_stays_open(server: Server) -> None:
    socket = await Ear().open(server.url, {})
    with pytest.raises(AskRefused) as caught:
        await socket.ask("refuse", {})
    assert (caught.value.code, caught.value.fields) == ("rate_limited", {"retry_after": 2})
    assert (await socket.ask("echo", {}))["ok"]
    socket.close()


async def test_a_missing_acknowledgement_ends_the_question(server: Server) -> None:
    socket = await Ear().open(server.url, {})
    with pytest.raises(SocketLost):
        await socket.ask("deaf", {}, timeout_seconds=0.1)
    socket.close()


async def test_open_questions_end_when_the_socket_is_cut(server: Server) -> None:
    ear = Ear()
    socket = await ear.open(server.url, {})
    question = asyncio.create_task(socket.ask("deaf", {}))
    await socket.ask("echo", {})
    socket.abort()
    with pytest.raises(SocketLost):
        await question
    await asyncio.wait_for(ear.lost.wait(), PATIENCE_SECONDS)


async def test_pings_are_answered_so_the_connection_outlives_them(server: Server) -> None:
    ear = Ear()
    socket = await ear.open(server.url, {})
    # many ping intervals: without pongs the server closes after 1.6 s
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ear.lost.wait(), 2.5)
    assert (await socket.ask("echo", {}))["ok"]
    socket.close()


async def test_nobody_listening_is_an_os_error() -> None:
    with pytest.raises(OSError):
        await Ear().open("http://127.0.0.1:9", {})


async def test_a_page_that_is_no_websocket_is_refused(server: Server) -> None:
    with pytest.raises(ConnectRefused):
        await Ear().open(server.url + "/nothing", {})
