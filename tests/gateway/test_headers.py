"""The gate over real sockets: who may knock, and what every answer carries, errors included."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from sanic import Request, Sanic
from sanic.response import HTTPResponse, text

from hub.gateway import errors, headers
from hub.gateway.headers import SECURITY_HEADERS, make_gate, origin_of

UI = "http://127.0.0.1:8701"
Ask = Callable[..., "asyncio.Future[tuple[int, dict[str, str], bytes]]"]


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    """A server with the gate, one route that reads, one that writes and one that breaks."""
    app: Sanic = Sanic("gate", configure_logging=False)
    app.config.TOUCHUP = False

    async def read(request: Request) -> HTTPResponse:
        return text(request.ctx.address)

    async def broken(_: Request) -> HTTPResponse:
        raise RuntimeError("unexpected")

    app.add_route(read, "/read", methods=["GET"])
    app.add_route(read, "/write", methods=["POST"], name="write")
    app.add_route(read, "/livez", methods=["GET"], name="live")
    app.add_route(broken, "/broken", methods=["GET"])
    errors.install(app)
    gate = make_gate(hub_url="http://127.0.0.1:8700", ui_url=UI, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    headers.install(app, gate)
    sock = socket.create_server(("127.0.0.1", 0))
    server = await app.create_server(sock=sock, return_asyncio_server=True)
    assert server is not None
    await server.startup()
    await server.before_start()
    await server.start_serving()
    yield sock.getsockname()[1]
    await server.close()
    Sanic.unregister_app(app)


@pytest.fixture
def ask(port: int) -> Callable[..., object]:
    """Send one raw request; (status, headers in lower case, body)."""

    async def send(
        method: str, path: str, *lines: str, host: str | None = "127.0.0.1"
    ) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = [f"{method} {path} HTTP/1.1", *lines, "Connection: close", "Content-Length: 0"]
        if host is not None:
            head.insert(1, f"Host: {host}")
        writer.write("\r\n".join([*head, "", ""]).encode("latin-1"))
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await writer.wait_closed()
        top, _, body = answer.partition(b"\r\n\r\n")
        first, *rest = top.decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in rest)
        return int(first.split(" ")[1]), {name.lower(): value for name, value in fields.items()}, body

    return send


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/read", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/read", 405),
        ("GET", "/broken", 500),
        ("OPTIONS", "/read", 405),
    ],
)
async def test_every_answer_carries_the_header_set(ask: Ask, method: str, path: str, status: int) -> None:
    answered, fields, _ = await ask(method, path)
    assert answered == status
    assert {name: fields.get(name.lower()) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert fields["vary"] == "Origin"


async def test_a_page_of_the_house_may_read_and_write(ask: Ask) -> None:
    status, fields, _ = await ask("POST", "/write", f"Origin: {UI}")
    assert (status, fields["access-control-allow-origin"]) == (200, UI)
    assert "access-control-allow-credentials" not in fields


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "null", "http://127.0.0.1:8702", "https://127.0.0.1:8701", "HTTP://127.0.0.1:8701", "",
        "http://127.0.0.1:8701.evil.example", "http://127.0.0.1:87011",
    ],
)  # fmt: skip
async def test_a_page_of_another_origin_neither_writes_nor_reads(ask: Ask, origin: str) -> None:
    status, fields, _ = await ask("POST", "/write", f"Origin: {origin}")
    assert status == 403
    assert "access-control-allow-origin" not in fields
    assert "access-control-allow-origin" not in (await ask("GET", "/read", f"Origin: {origin}"))[1]


async def test_a_preflight_is_answered_for_the_house_only(ask: Ask) -> None:
    wanted = "Access-Control-Request-Method: POST"
    status, fields, _ = await ask("OPTIONS", "/write", f"Origin: {UI}", wanted)
    assert status == 204
    assert "Idempotency-Key" in fields["access-control-allow-headers"]
    assert (
        "access-control-allow-methods" not in (await ask("OPTIONS", "/write", "Origin: http://evil.example", wanted))[1]
    )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.2"])
async def test_a_foreign_host_is_misdirected(ask: Ask, host: str) -> None:
    assert (await ask("GET", "/read", host=host))[0] == 421
    assert (await ask("GET", "/livez", host=host))[0] == 200


@pytest.mark.parametrize("host", [None, "", "127.0.0.1:port", "a b", "127.0.0.1/x", "user@127.0.0.1", "127.0.0.1\x00"])
async def test_a_malformed_host_is_a_bad_request(ask: Ask, host: str | None) -> None:
    assert (await ask("GET", "/read", host=host))[0] == 400


async def test_two_hosts_are_a_bad_request(ask: Ask) -> None:
    assert (await ask("GET", "/read", "Host: 127.0.0.1"))[0] == 400


@pytest.mark.parametrize("sign", ["\x00", "\x01", "\x1b", "\x7f"])
async def test_a_control_byte_in_a_header_is_refused(ask: Ask, sign: str) -> None:
    status, fields, _ = await ask("GET", "/read", f"X-Thing: a{sign}b")
    assert status == 400
    assert fields["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("spoofed, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, unknown", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8::1", "2001:db8::1"),
        ("", "127.0.0.1"),
    ],
)
async def test_only_configured_proxies_are_believed(ask: Ask, forwarded: str, address: str) -> None:
    assert (await ask("GET", "/read", f"X-Forwarded-For: {forwarded}"))[2].decode() == address


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Pass.example:443/x", "https://pass.example"),
        ("http://pass.example:80", "http://pass.example"),
        ("http://[::1]:8700/", "http://[::1]:8700"),
        ("javascript:alert(1)", ""),
        ("ftp://pass.example", ""),
    ],
)
def test_an_origin_is_spelled_as_browsers_spell_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_https_brings_transport_security() -> None:
    assert make_gate(hub_url="https://pass.example", ui_url="https://pass.example").is_https
    assert not make_gate(hub_url="http://127.0.0.1:8700", ui_url=UI).is_https
