"""The socket server as python clients see it: order, answers, rooms, refusals, limits, goodbyes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import socketio

from tests.realtime.conftest import WAIT_SECONDS


@pytest.fixture(scope="module")
def hub(hubs):
    return hubs(allow_polling=True, namespaces=("/", "/custom"), buffer_bytes=64 * 1024)


@pytest.fixture
async def client(hub) -> AsyncIterator[Callable[..., Any]]:
    """One python-socketio client a call, each with an HTTP session of its own; arguments are those of its `connect`."""
    opened: list[tuple[socketio.AsyncClient, aiohttp.ClientSession]] = []

    async def connect(**options: Any) -> socketio.AsyncClient:
        http = aiohttp.ClientSession()
        made = socketio.AsyncClient(http_session=http, reconnection=False)
        opened.append((made, http))
        await made.connect(hub.url, **{"transports": ["websocket"], **options})
        return made

    yield connect
    for made, http in opened:
        await made.disconnect()
        await http.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_events_are_answered_in_the_order_sent(hub, client, transports):
    caller = await client(transports=transports)
    before = len((await hub.state())["worked"])
    answers = await asyncio.gather(*(caller.call("work", number) for number in range(20)))
    assert answers == list(range(20))
    assert (await hub.state())["worked"][before:] == list(range(20))


async def test_a_refused_client_learns_why(hub):
    told: list[Any] = []
    async with aiohttp.ClientSession() as http:
        refused = socketio.AsyncClient(http_session=http, reconnection=False)
        refused.on("connect_error", told.append)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await refused.connect(hub.url, transports=["websocket"], auth={"token": "refuse"})
    assert told == [{"message": "not you", "data": {"code": "auth.refused"}}]


async def test_a_refusal_has_message_and_data(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    opened.send('40{"token":"refuse"}')
    assert await opened.receive() == '44{"message":"not you","data":{"code":"auth.refused"}}'
    opened.send("40")
    assert (await opened.receive()).startswith("40{")


async def test_a_failing_connect_handler_refuses_and_forgets(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    opened.send('40{"token":"explode"}')
    assert await opened.receive() == '44{"message":"Internal error","data":{"code":"internal"}}'
    assert (await hub.state())["participants"] == 0


@pytest.mark.parametrize(
    ("event", "arguments", "code"),
    [
        ("fail", (), "internal"),
        ("nothing", (1,), "bad_request"),
        ("work", (), "bad_request"),
        ("work", (1, 2), "bad_request"),
    ],
)
async def test_every_event_has_an_answer(client, event, arguments, code):
    caller = await client()
    answer = await caller.call(event, arguments, timeout=WAIT_SECONDS)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    assert await caller.call("work", 1) == 1


async def test_rooms_are_told_and_left(hub, client):
    first, second = await client(), await client()
    told: asyncio.Queue[Any] = asyncio.Queue()
    second.on("told", told.put)
    assert await second.call("room", ("enter", "kitchen:1")) == sorted([second.get_sid(), "kitchen:1"])
    await first.call("room", ("tell", "kitchen:1"))
    assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == {"room": "kitchen:1"}
    await second.call("room", ("leave", "kitchen:1"))
    await first.call("room", ("tell", "kitchen:1"))
    await first.call("room", ("tell", second.get_sid()))
    assert await asyncio.wait_for(told.get(), WAIT_SECONDS) == {"room": second.get_sid()}
    await second.call("room", ("enter", "kitchen:2"))
    await second.disconnect()
    await hub.until(lambda state: state["rooms"] == 0)


async def test_a_client_may_be_in_two_namespaces(hub, client):
    both = await client(namespaces=["/", "/custom"])
    assert await both.call("message-with-ack", (1, 2), namespace="/custom") == (1, 2)
    assert await both.call("message-with-ack", (3, 4)) == (3, 4)


async def test_the_server_asks_back_and_is_answered_once(hub, joined):
    opened = await joined(hub)
    opened.send('42["ask-back","how?"]')
    question = await opened.receive_event()
    assert question == '421["question","how?"]'
    before = len((await hub.state())["worked"])
    opened.send('431["well"]')
    opened.send('431["well again"]')
    opened.send('430["nobody asked"]')
    opened.send('421["work",1]')
    assert await opened.receive_event() == "431[1]"
    assert (await hub.state())["worked"][before:] == ["well", 1]


@pytest.mark.parametrize(
    ("last", "reason"), [("41", "client disconnect"), ("1", "client disconnect"), (None, "transport close")]
)
async def test_a_client_leaves_once_with_its_reason(hub, joined, last, reason):
    before = len((await hub.until(lambda state: state["participants"] == 0))["left"])
    opened = await joined(hub)
    if last:
        opened.send(last)
    opened.writer.write_eof()
    state = await hub.until(lambda state: state["participants"] == 0)
    assert state["left"][before:] == [["/", reason, "127.0.0.1"]]


async def test_what_was_sent_before_the_end_is_still_handled(hub, joined):
    before = len((await hub.state())["worked"])
    opened = await joined(hub)
    for number in range(10):
        opened.send(f'42["work",{number}]')
    opened.writer.write_eof()
    state = await hub.until(lambda state: state["sessions"] == 0 and len(state["worked"]) >= before + 10)
    assert state["worked"][before:] == list(range(10))


async def test_a_kicked_client_is_told(hub, joined):
    opened = await joined(hub)
    opened.send('42["kick"]')
    assert await opened.receive_event() == "41"
    assert (await hub.state())["participants"] == 0


async def test_a_closed_client_learns_code_and_reason(hub, joined):
    opened = await joined(hub)
    opened.send('42["close",4001,"token expired"]')
    assert await opened.closed() == (4001, "token expired")


async def test_the_address_comes_from_the_caller_given(hub, raw):
    before = len((await hub.until(lambda state: state["participants"] == 0))["left"])
    opened = await raw(hub, extra="X-Test-Address: 203.0.113.7\r\n")
    await opened.receive()
    opened.send("40")
    await opened.receive()
    opened.send("41")
    state = await hub.until(lambda state: len(state["left"]) > before)
    assert state["left"][-1] == ["/", "client disconnect", "203.0.113.7"]


async def test_a_flood_is_refused_and_the_socket_stays(hub, joined):
    opened = await joined(hub)
    for number in range(1, 201):
        opened.send(f'42{number}["message-with-ack",{number}]')
    answers = [await opened.receive_event() for _ in range(200)]
    refused = [answer for answer in answers if '"rate_limited"' in answer]
    # One token went into joining; a few come back while the flood is read.
    assert 150 <= len(refused) <= 165
    assert '"retry_after":0.0' in refused[0]
    assert len((await hub.state())["limited"]) >= len(refused)


async def test_who_sends_a_hundred_thousand_junk_events_is_told_and_closed(hub, joined, client):
    witness, opened = await client(), await joined(hub)
    junk = opened.frame(1, b'42["message","junk"]')
    for _ in range(100):
        opened.writer.write(junk * 1000)
    heard = []
    while (frame := await opened.receive_frame())[0] != 8:
        heard.append(frame[1])
    assert heard[-1] == b'42["closing",{"code":"rate_limited","reconnect":true}]'
    assert (int.from_bytes(frame[1][:2], "big"), frame[1][2:]) == (1008, b"too many events")
    assert len(heard) < 200
    assert await witness.call("work", 1) == 1
    await hub.until(lambda state: state["sessions"] == 1)


async def test_who_comes_again_when_told_is_answered_everything(hubs, joined):
    """Like a screen of many topics: 200 at once where 40 are allowed, and each once more at its own time."""
    opened = await joined(hubs(events_per_second=100.0, most_events_refused=300))
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        opened.send(f'42{number}["message-with-ack",{number}]')

    for number in range(200):
        ask(number)
    answered: set[int] = set()
    while len(answered) < 200:
        head, _, body = (await opened.receive_event()).partition("[")
        answer = json.loads(f"[{body}")[0]
        if answer == int(head[2:]):
            answered.add(answer)
        else:
            loop.call_later(answer["error"]["retry_after"], ask, int(head[2:]))


async def test_a_flood_before_joining_is_closed_without_an_event(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    opened.writer.write(opened.frame(1, b"40/nowhere") * 2000)
    answers = 0
    while (frame := await opened.receive_frame())[0] != 8:
        assert frame[1].startswith(b"44/nowhere,")
        answers += 1
    assert (int.from_bytes(frame[1][:2], "big"), frame[1][2:]) == (1008, b"too many events")
    assert 1000 <= answers <= 1100


async def test_a_client_that_does_not_read_is_bounded_and_told(hub, joined, client):
    slow, other = await joined(hub), await client()
    slow.writer.transport.pause_reading()
    slow.send('421["pour",20000,1000]')
    state = await hub.until(lambda state: "poured" in state["worked"])
    assert len(state["slow"]) == len(state["drained"]) + 1
    assert await other.call("work", 1) == 1
    slow.writer.transport.resume_reading()
    answer = ""
    while not answer.startswith("431["):
        answer = await slow.receive_event()
    taken = int(answer.split('"taken":')[1].split(",")[0])
    most = int(answer.split('"most_queued_bytes":')[1].split("}")[0])
    assert taken < 20000
    assert most <= 64 * 1024
    await hub.until(lambda state: state["slow"] == state["drained"])


async def test_who_hoards_answers_is_told_and_closed(hub, joined):
    """Its bound is 64 KiB, and sixteen times that for answers; a megabyte fits into no kernel's buffer here."""
    opened = await joined(hub)
    opened.writer.transport.pause_reading()
    for number in range(20):
        opened.send(f'42{number}["page",500000]')
    await hub.until(lambda state: state["sessions"] == 0)
    opened.writer.transport.resume_reading()
    heard = []
    while (frame := await opened.receive_frame())[0] != 8:
        heard.append(frame[1])
    assert heard[-1] == b'42["closing",{"code":"too_slow","reconnect":true}]'
    assert (int.from_bytes(frame[1][:2], "big"), frame[1][2:]) == (1008, b"answers were not read")
    assert 2 <= len(heard) < 20


async def test_everybody_is_told_when_the_server_goes(hubs, joined):
    leaving = hubs()
    opened = await joined(leaving)
    leaving.process.terminate()
    assert await opened.receive_event() == '42["closing",{"code":"going_away","reconnect":true}]'
    assert await opened.closed() == (1012, "server is going away")


async def test_a_page_larger_than_the_bound_arrives_whole(hub, joined):
    opened = await joined(hub)
    opened.send('421["page",300000]')
    answer = await opened.receive_event()
    assert len(answer) == len("431[") + 300002 + 1
    opened.send('422["pour",3,100]')
    assert sum([(await opened.receive_event()).startswith('42["change"') for _ in range(3)]) == 3
    assert '"taken":3' in await opened.receive_event()
