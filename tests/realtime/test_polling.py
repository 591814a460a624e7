"""Long-polling at its edges: goodbyes between two polls, what waits when a WebSocket takes over, and who may climb."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

POLLING = "/socket.io/?EIO=4&transport=polling"
BOUND_BYTES = 32 * 1024


@pytest.fixture(scope="module")
def hub(hubs):
    return hubs(allow_polling=True, buffer_bytes=BOUND_BYTES, upgrade_timeout_seconds=0.3, events_per_second=1e6)


@pytest.fixture
async def http(hub) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(hub.url) as session:
        yield session


class Poller:
    """A client of long-polling that fetches when it is told to."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.sid = ""

    async def open(self) -> Poller:
        async with self.http.get(POLLING) as response:
            self.sid = json.loads((await response.text())[1:])["sid"]
        return self

    @property
    def path(self) -> str:
        return f"{POLLING}&sid={self.sid}"

    async def poll(self) -> tuple[int, list[str]]:
        async with self.http.get(self.path) as response:
            return response.status, (await response.text()).split("\x1e")

    async def post(self, *packets: str) -> int:
        async with self.http.post(self.path, data="\x1e".join(packets)) as response:
            return response.status

    async def join(self) -> Poller:
        await self.post("40")
        got: list[str] = []
        while len(got) < 2:
            got += (await self.poll())[1]
        assert got[0].startswith("40{")
        return self


@pytest.fixture
async def joined_poller(http):
    return await (await Poller(http).open()).join()


UNKNOWN = '{"code":1,"message":"Session ID unknown"}'


async def test_a_goodbye_between_two_polls_waits_for_the_next(hub, joined_poller):
    before = (await hub.state())["left"]
    assert await joined_poller.post('42["work",30]', "4abc") == 400
    await hub.until(lambda state: len(state["left"]) > len(before))
    closing = '42["closing",{"code":"bad_request","reconnect":false}]'
    assert await joined_poller.poll() == (200, [closing, "1"])
    assert await joined_poller.poll() == (400, [UNKNOWN])


async def test_what_was_queued_before_a_goodbye_is_fetched_with_it(hub, joined_poller):
    assert await joined_poller.post('421["pour",20,10]', '42["close",4001,"token expired"]') == 200
    await hub.until(lambda state: state["sessions"] == 0)
    assert await joined_poller.post("3") == 400
    got: list[str] = []
    while got[-1:] != ["1"]:
        status, packets = await joined_poller.poll()
        assert status == 200
        assert len(packets) <= 16
        got += packets
    assert got == ['42["change","xxxxxxxxxx"]'] * 20 + ['431[{"taken":20,"most_queued_bytes":500}]', "1"]
    assert await joined_poller.poll() == (400, [UNKNOWN])


async def test_a_client_that_said_goodbye_itself_has_nothing_left(hub, joined_poller):
    assert await joined_poller.post('42["message",1]', "1") == 200
    await hub.until(lambda state: state["sessions"] == 0)
    assert await joined_poller.poll() == (400, [UNKNOWN])


async def climb(hub, raw, sid: str):
    opened = await raw(hub, f"EIO=4&transport=websocket&sid={sid}")
    opened.send("2probe")
    assert await opened.receive() == "3probe"
    return opened


async def test_a_slow_client_that_climbs_is_told_on_its_websocket(hub, raw, joined_poller):
    assert await joined_poller.post('421["pour",100,1000]') == 200
    state = await hub.until(lambda state: "poured" in state["worked"] and len(state["slow"]) > len(state["drained"]))
    opened = await climb(hub, raw, joined_poller.sid)
    opened.send("5")
    heard = []
    while not heard or heard[-1] != '42["resync"]':
        heard.append(await opened.receive_event())
    poured = [text for text in heard if text.startswith('42["change"')]
    answer = next(json.loads(text[3:]) for text in heard if text.startswith("431"))
    assert len(poured) == answer[0]["taken"] < 100
    after = await hub.state()
    assert len(after["drained"]) == len(state["drained"]) + 1


async def test_only_one_websocket_at_a_time_may_climb(hub, raw, joined_poller):
    first = await climb(hub, raw, joined_poller.sid)
    with pytest.raises(AssertionError, match=r"HTTP/1\.1 400 "):
        await raw(hub, f"EIO=4&transport=websocket&sid={joined_poller.sid}")
    first.send("5")
    first.send('421["work",1]')
    assert await first.receive_event() == "431[1]"


async def test_after_a_websocket_that_gave_up_another_may_climb(hub, raw, joined_poller):
    first = await climb(hub, raw, joined_poller.sid)
    first.writer.write(first.frame(8, b""))
    await first.gone()
    second = await climb(hub, raw, joined_poller.sid)
    second.send("5")
    second.send('421["work",1]')
    assert await second.receive_event() == "431[1]"


@pytest.mark.parametrize("is_probed", [False, True])
async def test_an_unfinished_climb_is_ended_and_polling_goes_on(hub, raw, joined_poller, is_probed):
    opened = await raw(hub, f"EIO=4&transport=websocket&sid={joined_poller.sid}")
    if is_probed:
        opened.send("2probe")
    assert await opened.closed() == (1008, "upgrade was not completed in time")
    assert await joined_poller.post('421["work",1]') == 200
    assert await joined_poller.poll() == (200, ["431[1]"])


async def test_a_session_opened_by_websocket_has_no_second_transport(hub, http, raw):
    opened = await raw(hub)
    other = Poller(http)
    other.sid = json.loads((await opened.receive())[1:])["sid"]
    refused = [400, ['{"code":3,"message":"Bad request"}']]
    assert [*await other.poll()] == refused
    assert await other.post("40") == 400
    with pytest.raises(AssertionError, match=r"HTTP/1\.1 400 "):
        await raw(hub, f"EIO=4&transport=websocket&sid={other.sid}")
    opened.send("40")
    assert (await opened.receive_event()).startswith("40{")
    assert await opened.receive_event() == '42["auth",{}]'
    opened.send('421["work",1]')
    assert await opened.receive_event() == "431[1]"
