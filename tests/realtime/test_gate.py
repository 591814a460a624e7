"""The socket's own gate on the hub as it is deployed: whose page may come, whose address counts, what one may send."""

from __future__ import annotations

import base64
import inspect
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sanic import Sanic

import hub.app
from hub.client.errors import ConnectRefused
from hub.client.socket import Socket
from hub.embedded.engines import Engines
from hub.observability.health import Workers
from hub.realtime.engine import LiveServer
from hub.settings import Settings
from tests.realtime.conftest import BINARY, RawSocket
from tests.realtime.two_hubs import HubProcess, hub_process, token_of
from tests.town import DATA_SECRET, SECRET, found, person, sequenced, sequencing, until

PER_PERSON, PER_ADDRESS = 4, 6
PARTNER, UI = "https://partner.example", "http://127.0.0.1:8701"
LARGEST_BYTES = 64 * 1024
Enter = Callable[..., Awaitable[Socket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """A hub that faces its clients, and one behind a proxy of this host."""

    facing: HubProcess
    behind: HubProcess
    conn: Any


@pytest.fixture(scope="module")
async def gates(engines: Engines, module_database_url: str) -> AsyncIterator[Gates]:
    """Both let few connections in."""
    redis_url = engines.redis_url_of(17)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    conn = await asyncpg.connect(module_database_url)
    limits = {"connections_per_person": PER_PERSON, "connections_per_address": PER_ADDRESS}
    with tempfile.TemporaryDirectory(prefix="gates-") as name:
        hubs = [
            hub_process(module_database_url, redis_url, Path(name), allowed_origins=f'["{PARTNER}"]', **limits, **more)
            for more in ({}, {"trusted_proxies": '["127.0.0.0/8"]'})
        ]
        async with sequencing(module_database_url, redis_url):
            await found(conn)
            await sequenced(conn)
            try:
                for one in hubs:
                    await one.process.start_async()
                yield Gates(facing=hubs[0], behind=hubs[1], conn=conn)
            finally:
                for one in hubs:
                    await one.process.stop_async()
    await conn.close()


@pytest.fixture
async def enter(gates: Gates) -> AsyncIterator[Enter]:
    """Joins with headers of one's own, as a fresh person or a given one; a refusal is `ConnectRefused`."""
    with_sockets = AsyncExitStack()
    async with with_sockets:

        async def join(hub: HubProcess, *, person_id: str = "", **headers: str) -> Socket:
            token = token_of(person_id or await person(gates.conn, "One of many"))
            socket = Socket(on_event=lambda *_: None, on_lost=lambda _: None)
            await socket.open(
                hub.url, {"token": token}, {name.replace("_", "-"): told for name, told in headers.items()}
            )
            with_sockets.callback(socket.abort)
            return socket

        yield join


async def entered(enter: Enter, hub: HubProcess, **who: str) -> Socket:
    """As soon as those who were there before have left."""

    async def tried() -> Socket | None:
        return await is_in(enter, hub, **who)

    return await until(tried)


async def is_in(enter: Enter, hub: HubProcess, **who: str) -> Socket | None:
    """The socket; None where there is no room."""
    try:
        return await enter(hub, **who)
    except ConnectRefused as refused:
        if refused.code != "too_many_connections":
            raise
        return None


async def knock(hub: HubProcess, origin: str, *, method: str = "GET") -> tuple[int, dict[str, Any]]:
    """How a page's WebSocket handshake is refused: status and body."""
    headers = {
        "Origin": origin, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }  # fmt: skip
    url = hub.url + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read())


@pytest.mark.parametrize(
    "origin",
    ["https://foreign.example", "null", f"{UI}.foreign.example", "http://127.0.0.1:1", UI.replace("http", "https"), ""],
)
async def test_a_page_of_a_foreign_origin_is_refused(gates: Gates, origin: str):
    assert await knock(gates.facing, origin) == (403, {"code": 4, "message": "Forbidden"})


@pytest.mark.parametrize("whose", ["the UI", "the hub", "a further one", "no browser"])
async def test_a_page_of_the_house_and_whoever_is_no_browser_come_in(gates: Gates, enter: Enter, whose: str):
    origins = {"the UI": UI, "the hub": gates.facing.url, "a further one": PARTNER}
    headers = {"Origin": origins[whose]} if whose in origins else {}
    assert await entered(enter, gates.facing, **headers)


async def test_nobody_holds_more_connections_than_allowed(gates: Gates, enter: Enter):
    greedy, modest = await person(gates.conn, "Greedy"), await person(gates.conn, "Modest")
    held = [await entered(enter, gates.facing, person_id=greedy) for _ in range(PER_PERSON)]
    with pytest.raises(ConnectRefused, match="this account has too many connections") as refusal:
        await enter(gates.facing, person_id=greedy)
    assert refusal.value.code == "too_many_connections"
    assert await is_in(enter, gates.facing, person_id=modest)
    held[0].abort()
    assert await entered(enter, gates.facing, person_id=greedy)


async def test_no_address_holds_more_connections_than_allowed_whatever_it_says_it_is(gates: Gates, enter: Enter):
    held = [await entered(enter, gates.facing, X_Forwarded_For=f"198.51.100.{number}") for number in range(PER_ADDRESS)]
    with pytest.raises(ConnectRefused, match="this address has too many connections") as refusal:
        await enter(gates.facing, X_Forwarded_For="198.51.100.99")
    assert refusal.value.code == "too_many_connections"
    held[0].abort()
    assert await entered(enter, gates.facing)


async def test_behind_a_proxy_the_address_that_it_tells_is_counted(gates: Gates, enter: Enter):
    for number in range(PER_ADDRESS + 1):
        assert await is_in(enter, gates.behind, X_Forwarded_For=f"198.51.100.{number}, 127.0.0.9")
    for number in range(PER_ADDRESS):
        assert await is_in(enter, gates.behind, X_Forwarded_For=f"192.0.2.{number}, 203.0.113.7")
    assert await is_in(enter, gates.behind, X_Forwarded_For="203.0.113.7") is None
    assert await is_in(enter, gates.behind, X_Forwarded_For="203.0.113.8")


@pytest.fixture
async def joined(gates: Gates, enter: Enter, raw: Callable[..., Any]) -> RawSocket:
    """A WebSocket made by hand that has joined the hub."""
    opened: RawSocket = await raw(gates.behind, extra="X-Forwarded-For: 203.0.113.9\r\n")
    assert (await opened.receive()).startswith("0")
    opened.send(b"40" + orjson.dumps({"token": token_of(await person(gates.conn, "Somebody"))}))
    assert (await opened.receive_event()).startswith("40")
    return opened


async def answer_of(opened: RawSocket) -> str:
    """The next acknowledgement."""
    while not (told := await opened.receive_event()).startswith("43"):
        pass
    return told


async def test_a_message_may_have_64_kib_and_not_one_byte_more(joined: RawSocket):
    joined.send((event := '421["nothing","') + "x" * (LARGEST_BYTES - len(event) - 2) + '"]')
    assert '"bad_request"' in await answer_of(joined)
    joined.send("x" * (LARGEST_BYTES + 1))
    assert (await joined.closed())[0] == 1009


async def test_nothing_binary_is_taken(joined: RawSocket):
    joined.writer.write(joined.frame(BINARY, b"\x00\x01"))
    assert (await joined.closed())[0] == 1003


async def test_a_burst_of_forty_events_is_answered_and_the_rest_told_when_to_come_again(joined: RawSocket):
    for number in range(100):
        joined.send(f'42{number}["nothing"]')
    errors = [
        orjson.loads(told[told.index("[") :])[0]["error"] for told in [await answer_of(joined) for _ in range(100)]
    ]
    answered = [error["code"] for error in errors].count("bad_request")
    assert 39 <= answered < 60  # joining took one; some come back while the rest is read
    # Each is told a token of its own.
    assert all(0 < error["retry_after"] <= 61 / 20 for error in errors if error["code"] == "rate_limited")


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a hub of the production profile, with no settings but those that it must have, gives its live server."""
    handed: dict[str, Any] = {}
    wanted = inspect.signature(LiveServer.__init__)

    class Looked(LiveServer):
        def __init__(self, **options: Any) -> None:
            bound = wanted.bind(self, **options)
            bound.apply_defaults()
            handed.update(bound.arguments)
            super().__init__(**options)

    monkeypatch.setattr(hub.app, "LiveServer", Looked)
    settings = Settings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"), redis_url=SecretStr("redis://127.0.0.1:1"),
        secret_key=SecretStr(SECRET), data_key=SecretStr(DATA_SECRET),
    )  # fmt: skip
    app = hub.app.make_hub(settings, Workers(1), lambda: None)
    Sanic.unregister_app(app)
    return handed


def test_the_limits_of_the_product_are_those_that_are_promised(handed: dict[str, Any]):
    promised = {
        "buffer_bytes": 256 * 1024, "message_bytes": LARGEST_BYTES, "allow_polling": False,
        "connect_timeout_seconds": 5.0, "events_per_second": 20.0, "event_burst": 40, "namespaces": ("/",),
        "ping_interval_seconds": 25.0, "ping_timeout_seconds": 20.0,
    }  # fmt: skip
    assert promised.items() <= handed.items()
