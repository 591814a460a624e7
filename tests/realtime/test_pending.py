"""Clients on their way in: each has the connect time-out, each address so many places, and neither can be escaped."""

from __future__ import annotations

import json

import aiohttp
import pytest

UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: hub\r\n"
    f"{UPGRADE}Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)
PLACES = 3


@pytest.fixture(scope="module")
def hub(hubs):
    return hubs(connect_timeout_seconds=20.0, pending_per_address=PLACES, namespaces=("/", "/custom"))


@pytest.fixture(scope="module")
def hasty(hubs):
    """A hub that waits for nobody."""
    config = {"REQUEST_TIMEOUT": 1, "KEEP_ALIVE_TIMEOUT": 1}
    return hubs(connect_timeout_seconds=0.5, pending_per_address=PLACES, config=config)


def of(address: str) -> str:
    return f"X-Test-Address: {address}\r\n"


@pytest.fixture
def arrive(raw):
    """Opens a WebSocket as an address, and nothing more."""

    async def open_from(hub, address: str):
        opened = await raw(hub, extra=of(address))
        assert (await opened.receive()).startswith("0{")
        return opened

    return open_from


@pytest.fixture
def turned_away(raw):
    """Status, headers and body of a handshake that is refused."""

    async def knock(hub, address: str) -> tuple[int, str, dict]:
        opened = await raw(hub, upgrade=False)
        opened.writer.write(f"{HANDSHAKE}{of(address)}\r\n".encode())
        head = (await opened.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        return int(head.split()[1]), head, json.loads(await opened.reader.readexactly(length))

    return knock


async def join(opened) -> None:
    opened.send("40")
    assert (await opened.receive_event()).startswith("40{")
    assert await opened.receive_event() == '42["auth",{}]'


async def test_a_client_refused_after_the_time_out_is_closed_after_all(hasty, raw):
    opened = await raw(hasty)
    await opened.receive()
    opened.send('40{"token":"refuse late"}')
    await hasty.until(lambda state: "refusing" in state["worked"])
    # Came later and is closed already: so the time-out of the first has passed too.
    assert await (await raw(hasty)).closed() == (1008, "no namespace was joined in time")
    async with aiohttp.ClientSession(hasty.url) as http, http.get("/release") as response:
        assert response.status == 200
    assert await opened.receive() == '44{"message":"not you","data":{"code":"auth.refused"}}'
    assert await opened.closed() == (1008, "no namespace was joined in time")
    await hasty.until(lambda state: state["sessions"] == 0)


async def test_an_address_with_too_many_on_their_way_in_is_turned_away(hub, arrive, turned_away):
    for _ in range(PLACES):
        await arrive(hub, "203.0.113.1")
    status, head, body = await turned_away(hub, "203.0.113.1")
    message = "too many connections of this address have not joined yet: try again"
    assert (status, body) == (429, {"code": 4, "message": message})
    assert "retry-after: 20\r\n" in head
    await join(await arrive(hub, "203.0.113.2"))


async def test_who_joins_makes_room_and_who_leaves_all_takes_it_again(hub, arrive, turned_away):
    crowd = [await arrive(hub, "203.0.113.3") for _ in range(PLACES)]
    await join(crowd[0])
    await arrive(hub, "203.0.113.3")
    assert (await turned_away(hub, "203.0.113.3"))[0] == 429
    await join(crowd[1])
    crowd[0].send("41")
    crowd[0].send("40/nowhere")
    assert (await crowd[0].receive_event()).startswith("44/nowhere,")
    assert (await turned_away(hub, "203.0.113.3"))[0] == 429
    crowd[0].send("40/custom")
    assert (await crowd[0].receive_event()).startswith("40/custom,{")
    await arrive(hub, "203.0.113.3")


async def test_who_goes_makes_room(hub, arrive, turned_away):
    before = (await hub.state())["sessions"]
    crowd = [await arrive(hub, "203.0.113.4") for _ in range(PLACES)]
    await hub.until(lambda state: state["sessions"] == before + PLACES)
    crowd[0].writer.transport.abort()
    await hub.until(lambda state: state["sessions"] == before + PLACES - 1)
    await arrive(hub, "203.0.113.4")
    assert (await turned_away(hub, "203.0.113.4"))[0] == 429


async def test_the_time_out_makes_room(hasty, arrive):
    crowd = [await arrive(hasty, "203.0.113.5") for _ in range(PLACES)]
    for each in crowd:
        assert (await each.closed())[0] == 1008
    await arrive(hasty, "203.0.113.5")


@pytest.mark.parametrize(
    "said", ["", "GET /socket.io/?EIO=4", HANDSHAKE], ids=["nothing", "half a line", "half a handshake"]
)
async def test_a_request_that_never_ends_is_ended(hasty, raw, said):
    opened = await raw(hasty, upgrade=False)
    opened.writer.write(said.encode())
    left = await opened.gone()
    assert b"101" not in left
    assert (await hasty.state())["sessions"] == 0
