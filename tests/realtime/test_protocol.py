"""The public Engine.IO v4 and Socket.IO v5 suites, test by test (github.com/socketio, `test-suite`), binary aside."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module")
def hub(hubs):
    return hubs(
        allow_polling=True,
        ping_interval_seconds=0.3,
        ping_timeout_seconds=1.5,
        connect_timeout_seconds=4.0,
        namespaces=("/", "/custom"),
    )


@pytest.fixture
async def http(hub) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(hub.url) as session:
        yield session


async def fetch(http: aiohttp.ClientSession, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    async with http.request(method, path, data=body) as response:
        return response.status, await response.text()


async def polling_session(http: aiohttp.ClientSession) -> str:
    _, text = await fetch(http, "GET", POLLING)
    return json.loads(text[1:])["sid"]


async def test_polling_opens_a_session(http):
    status, text = await fetch(http, "GET", POLLING)
    facts = json.loads(text[1:])
    assert (status, text[0], set(facts)) == (200, "0", KEYS)
    assert facts["upgrades"] == ["websocket"]
    assert (facts["pingInterval"], facts["pingTimeout"], facts["maxPayload"]) == (300, 1500, 64 * 1024)


@pytest.mark.parametrize(
    ("method", "query", "code", "message"),
    [
        ("GET", "EIO=4", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=abc", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=polling&transport=websocket", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("PUT", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("DELETE", "transport=websocket", 2, "Bad handshake method"),
        ("GET", "EIO=4&transport=websocket", 3, "Bad request"),
        ("GET", "EIO=4&transport=polling&sid=a&sid=b", 3, "Bad request"),
        ("PUT", "EIO=4&transport=polling&sid=abc", 3, "Bad request"),
        ("GET", "transport=polling", 5, "Unsupported protocol version"),
        ("GET", "EIO=abc&transport=polling", 5, "Unsupported protocol version"),
        ("GET", "EIO=3&transport=polling", 5, "Unsupported protocol version"),
    ],
)
async def test_a_wrong_request_is_refused_as_the_reference_does(http, method, query, code, message):
    """Codes and words of engine.io's `Server.errors`, checked in the order of its `verify` and `handshake`."""
    async with http.request(method, f"/socket.io/?{query}") as response:
        assert (response.status, response.content_type) == (400, "application/json")
        assert await response.json() == {"code": code, "message": message}


async def test_a_foreign_origin_is_refused_with_a_body(http):
    async with http.get(POLLING, headers={"Origin": "http://evil.example"}) as response:
        assert (response.status, await response.json()) == (403, {"code": 4, "message": "Forbidden"})
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_an_allowed_origin_may_read_every_answer(http, method):
    async with http.request(method, POLLING, headers={"Origin": "http://good.example"}) as response:
        assert response.status == {"GET": 200, "POST": 400, "OPTIONS": 204}[method]
        assert response.headers["Access-Control-Allow-Origin"] == "http://good.example"
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert response.headers["Vary"] == "Origin"
        assert ("Access-Control-Allow-Methods" in response.headers) == (method == "OPTIONS")


async def test_a_payload_beyond_the_limit_ends_the_session(http):
    path = f"{POLLING}&sid={await polling_session(http)}"
    assert await fetch(http, "POST", path, "4" + "x" * 64 * 1024) == (413, '{"code":3,"message":"Bad request"}')
    assert (await fetch(http, "GET", path))[0] == 400


async def test_a_websocket_opens_a_session(hub, raw):
    text = await (await raw(hub)).receive()
    facts = json.loads(text[1:])
    assert (text[0], set(facts), facts["upgrades"]) == ("0", KEYS, [])
    assert (facts["pingInterval"], facts["pingTimeout"]) == (300, 1500)


@pytest.mark.parametrize(
    "query", ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"]
)
async def test_a_websocket_with_a_wrong_query_is_refused(hub, raw, query):
    with pytest.raises(AssertionError, match=r"HTTP/1\.1 400 "):
        await raw(hub, query)


async def test_polling_pings_and_takes_pongs(http):
    path = f"{POLLING}&sid={await polling_session(http)}"
    for _ in range(3):
        assert await fetch(http, "GET", path) == (200, "2")
        assert await fetch(http, "POST", path, "3") == (200, "ok")


async def test_polling_ends_at_the_ping_timeout(http, hub):
    sid = await polling_session(http)
    path = f"{POLLING}&sid={sid}"
    assert await fetch(http, "GET", path) == (200, "2")
    assert await fetch(http, "GET", path) == (200, "1")
    assert (await fetch(http, "GET", path))[0] == 400


async def test_a_websocket_pings_and_takes_pongs(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    for _ in range(2):
        assert await opened.receive() == "2"
        opened.send("3")


async def test_a_websocket_ends_at_the_ping_timeout(hub, raw):
    assert await (await raw(hub)).closed() == (1001, "ping timeout")


async def test_polling_closes(hub, http, raw):
    path = f"{POLLING}&sid={await polling_session(http)}"
    waiting = await raw(hub, upgrade=False)
    # Served once, its next request is read in the order of arrival.
    waiting.writer.write(b"GET /nowhere HTTP/1.1\r\nHost: hub\r\n\r\n")
    head = await waiting.reader.readuntil(b"\r\n\r\n")
    await waiting.reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
    waiting.writer.write(f"GET {path} HTTP/1.1\r\nHost: hub\r\n\r\n".encode())
    await waiting.writer.drain()
    assert await fetch(http, "POST", path, "1") == (200, "ok")
    assert (await waiting.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert await waiting.reader.readexactly(1) == b"6"
    assert (await fetch(http, "GET", path))[0] == 400


async def test_a_websocket_closes(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    opened.send("1")
    assert (await opened.closed())[0] == 1000


@pytest.mark.parametrize(
    "body", ["abc", "", "4\x1e", "bAQIDBA==", "6", "\x1e".join(["3"] * 65), "4", "4abc", "3\x1e42{}"]
)
async def test_a_malformed_payload_ends_the_session(http, body):
    path = f"{POLLING}&sid={await polling_session(http)}"
    assert await fetch(http, "POST", path, body) == (400, '{"code":3,"message":"Bad request"}')
    assert (await fetch(http, "GET", path))[0] == 400


async def test_nothing_after_a_goodbye_is_handled(http, hub):
    path = f"{POLLING}&sid={await polling_session(http)}"
    assert await fetch(http, "POST", path, "1\x1e4abc") == (200, "ok")
    assert (await fetch(http, "GET", path))[0] == 400


async def test_two_polls_at_once_end_the_session(http):
    path = f"{POLLING}&sid={await polling_session(http)}"
    answers = await asyncio.gather(fetch(http, "GET", path), fetch(http, "GET", path))
    assert sorted(status for status, _ in answers) == [200, 400]
    assert "1" in [text for _, text in answers]
    assert (await fetch(http, "GET", path))[0] == 400


async def test_a_poll_that_is_cut_off_ends_the_session(hub, http, raw):
    sid = await polling_session(http)
    cut = await raw(hub, upgrade=False)
    cut.writer.write(f"GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: hub\r\n\r\n".encode())
    await cut.writer.drain()
    await cut.close()
    await hub.until(lambda state: state["sessions"] == 0)
    assert (await fetch(http, "GET", f"{POLLING}&sid={sid}"))[0] == 400


async def test_polling_sends_several_packets_in_order(http):
    path = f"{POLLING}&sid={await polling_session(http)}"
    assert await fetch(http, "POST", path, '40\x1e42["message",1]\x1e42["message",2]') == (200, "ok")
    got: list[str] = []
    while len(got) < 4:
        got += [packet for packet in (await fetch(http, "GET", path))[1].split("\x1e") if packet != "2"]
    assert got[0].startswith("40{")
    assert got[1:] == ['42["auth",{}]', '42["message-back",1]', '42["message-back",2]']


async def test_polling_climbs_to_a_websocket(hub, http, raw):
    sid = await polling_session(http)
    opened = await raw(hub, f"EIO=4&transport=websocket&sid={sid}")
    opened.send("2probe")
    assert await opened.receive() == "3probe"
    opened.send("5")
    opened.send("40")
    assert (await opened.receive_event()).startswith("40{")


async def test_after_the_climb_the_old_ways_are_closed(hub, http, raw):
    sid = await polling_session(http)
    opened = await raw(hub, f"EIO=4&transport=websocket&sid={sid}")
    opened.send("2probe")
    opened.send("5")
    assert await opened.receive() == "3probe"
    opened.send("40")
    assert (await opened.receive_event()).startswith("40{")
    assert (await fetch(http, "GET", f"{POLLING}&sid={sid}"))[0] == 400
    with pytest.raises(AssertionError, match=r"HTTP/1\.1 400 "):
        await raw(hub, f"EIO=4&transport=websocket&sid={sid}")


async def test_a_failed_climb_leaves_polling_alive(hub, http, raw):
    sid = await polling_session(http)
    opened = await raw(hub, f"EIO=4&transport=websocket&sid={sid}")
    opened.send("nonsense")
    assert await opened.closed() == (1002, "malformed upgrade")
    assert await fetch(http, "POST", f"{POLLING}&sid={sid}", "40") == (200, "ok")


@pytest.mark.parametrize(
    ("packet", "prefix", "auth"),
    [
        ("40", "40{", '42["auth",{}]'),
        ('40{"token":"123"}', "40{", '42["auth",{"token":"123"}]'),
        ("40/custom,", "40/custom,{", '42/custom,["auth",{}]'),
        ('40/custom?a=1,{"token":"abc"}', "40/custom,{", '42/custom,["auth",{"token":"abc"}]'),
    ],
)
async def test_a_client_joins_a_namespace(hub, raw, packet, prefix, auth):
    opened = await raw(hub)
    await opened.receive()
    opened.send(packet)
    answer = await opened.receive()
    assert answer.startswith(prefix)
    assert set(json.loads(answer[len(prefix) - 1 :])) == {"sid"}
    assert await opened.receive() == auth


async def test_an_unknown_namespace_is_refused(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    opened.send("40/random")
    assert await opened.receive() == '44/random,{"message":"Invalid namespace"}'


async def test_a_client_that_joins_nothing_is_closed(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    while (frame := await opened.receive_frame())[0] != 8:
        opened.send("3")
    assert frame[1][2:] == b"no namespace was joined in time"


async def test_leaving_the_main_namespace_keeps_the_connection(hub, joined):
    opened = await joined(hub)
    opened.send("41")
    assert await opened.receive() == "2"


async def test_leaving_a_namespace_keeps_the_others(hub, joined):
    opened = await joined(hub)
    opened.send("40/custom")
    assert (await opened.receive_event()).startswith("40/custom,")
    assert await opened.receive_event() == '42/custom,["auth",{}]'
    opened.send("41/custom")
    opened.send('42["message","message to main namespace"]')
    assert await opened.receive_event() == '42["message-back","message to main namespace"]'


async def test_text_comes_back(hub, joined):
    opened = await joined(hub)
    opened.send('42["message",1,"2",{"3":[true]}]')
    assert await opened.receive_event() == '42["message-back",1,"2",{"3":[true]}]'
    opened.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await opened.receive_event() == '43456[1,"2",{"3":[false]}]'
