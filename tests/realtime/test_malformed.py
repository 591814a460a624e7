"""Clients that break the rules: each is closed with its code, none gets HTTP, nobody else notices."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress

import psutil
import pytest

KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"
UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
# What the second half of the noise may leave in memory: the witnesses of this hub's own bookkeeping, not one buffer.
MOST_GROWTH_BYTES = 1_000_000
FUZZED_FRAMES = int(os.environ.get("HOTPASS_TEST_FUZZED_FRAMES", "10000"))


@pytest.fixture(scope="module")
def hub(hubs):
    return hubs(connect_timeout_seconds=2.0, events_per_second=1e6, event_burst=1_000_000)


def broken_frames(opened):
    text, binary, ping = 1, 2, 9
    return {
        "not masked": (opened.frame(text, b"40", mask=None), 1002),
        "reserved bit": (opened.frame(text, b"40", rsv=4), 1002),
        "reserved opcode": (opened.frame(5, b""), 1002),
        "binary": (opened.frame(binary, b"\1\2"), 1003),
        "bad UTF-8": (opened.frame(text, b"4\xff\xfe"), 1007),
        "bad UTF-8 in fragments": (opened.frame(text, b"4\xc3", final=False) + opened.frame(0, b"("), 1007),
        "surrogate": (opened.frame(text, b"4\xed\xa0\x80"), 1007),
        "long ping": (opened.frame(ping, b"x" * 126), 1002),
        "fragmented ping": (opened.frame(ping, b"", final=False), 1002),
        "continuation of nothing": (opened.frame(0, b"40"), 1002),
        "too long": (opened.frame(text, b"4" + b"x" * 65536), 1009),
        "announced too long": (b"\x81\xff" + (1 << 50).to_bytes(8, "big"), 1009),
        "unlawful close": (opened.frame(8, b"\x00\x01"), 1002),
        "unknown Engine.IO packet": (opened.frame(text, b"abc"), 1002),
        "ping in the wrong direction": (opened.frame(text, b"2"), 1002),
        "empty": (opened.frame(text, b""), 1002),
        "empty message": (opened.frame(text, b"4"), 1002),
        "unknown Socket.IO packet": (opened.frame(text, b"4abc"), 1002),
        "event that is no list": (opened.frame(text, b"42{}"), 1002),
        "event without a name": (opened.frame(text, b"42[]"), 1002),
        "name that is no text": (opened.frame(text, b"42[1]"), 1002),
        "reserved name": (opened.frame(text, b'42["connect"]'), 1002),
        "bad acknowledgement number": (opened.frame(text, b'42abc["message"]'), 1002),
        "acknowledgement without number": (opened.frame(text, b"43[]"), 1002),
        "connect error from a client": (opened.frame(text, b"44{}"), 1002),
        "auth that is no object": (opened.frame(text, b'40"token"'), 1002),
        "not JSON": (opened.frame(text, b'42["a",NaN]'), 1002),
        "lone surrogate": (opened.frame(text, b'42["a","\\ud800"]'), 1002),
        "too deep": (opened.frame(text, b'42["a",' + b"[" * 5000 + b"]" * 5000 + b"]"), 1002),
        "attachments announced": (opened.frame(text, b'452-["a",{"_placeholder":true,"num":0}]'), 1003),
        "attachments of an acknowledgement": (opened.frame(text, b"461-1[]"), 1003),
        "base64": (opened.frame(text, b"bAQID"), 1002),
        "event to a namespace never joined": (opened.frame(text, b'42/custom,1["message"]'), 1002),
        "joined twice": (opened.frame(text, b"40"), 1002),
        "leaving what was never joined": (opened.frame(text, b"41/custom,"), 1002),
        "long namespace": (opened.frame(text, b"40/" + b"n" * 200), 1008),
    }


@pytest.mark.parametrize("name", [*broken_frames(type("Names", (), {"frame": lambda *_, **__: b""}))])
async def test_a_breach_closes_with_its_code(hub, joined, name):
    opened = await joined(hub)
    stream, code = broken_frames(opened)[name]
    opened.writer.write(stream)
    assert await opened.receive() == '42["closing",{"code":"bad_request","reconnect":false}]'
    assert (await opened.closed())[0] == code
    opened.writer.write(opened.frame(8, b""))
    assert await opened.gone() == b""
    await hub.until(lambda state: state["sessions"] == 0)


async def test_junk_after_the_breach_changes_nothing(hub, joined):
    opened = await joined(hub)
    opened.writer.write(b"GET / HTTP/1.1\r\n\r\n" * 2000)
    assert (await opened.closed())[0] == 1002
    opened.writer.write_eof()
    assert b"HTTP" not in await opened.gone()


async def test_a_ping_is_answered_and_fragments_are_joined(hub, joined):
    opened = await joined(hub)
    opened.writer.write(opened.frame(1, b'42["mess', final=False) + opened.frame(9, b"still there?"))
    opened.writer.write(opened.frame(0, b'age"', final=False) + opened.frame(0, b",1]"))
    assert await opened.receive_frame() == (10, b"still there?")
    assert await opened.receive_event() == '42["message-back",1]'


async def test_frames_sent_with_the_handshake_are_read(hub, raw):
    opened = await raw(hub, upgrade=False)
    head = f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: hub\r\n{UPGRADE}{VERSION}{KEY}\r\n"
    opened.writer.write(head.encode() + opened.frame(1, b"40"))
    await opened.reader.readuntil(b"\r\n\r\n")
    assert (await opened.receive()).startswith("0{")
    assert (await opened.receive()).startswith("40{")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (UPGRADE + VERSION, 400),
        (UPGRADE + VERSION + "Sec-WebSocket-Key: short\r\n", 400),
        (UPGRADE + VERSION + KEY + KEY, 400),
        ("Upgrade: websocket\r\nConnection: close\r\n" + VERSION + KEY, 400),
        (UPGRADE + "Sec-WebSocket-Version: 8\r\n" + KEY, 426),
        ("Upgrade: h2c\r\nConnection: Upgrade\r\n" + VERSION + KEY, 400),
        (UPGRADE + VERSION + KEY + "Origin: http://evil.example\r\n", 403),
        (UPGRADE + VERSION + KEY + "Origin: http://good.example\r\nOrigin: http://evil.example\r\n", 403),
    ],
)
async def test_a_wrong_handshake_is_refused_in_http(hub, raw, head, status):
    opened = await raw(hub, upgrade=False)
    opened.writer.write(f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: hub\r\n{head}\r\n".encode())
    assert (await opened.reader.readline()).startswith(f"HTTP/1.1 {status} ".encode())
    assert (await hub.state())["sessions"] == 0


async def test_an_allowed_origin_may_come(hub, raw):
    opened = await raw(hub, extra="Origin: http://good.example\r\n")
    assert (await opened.receive()).startswith("0{")


async def test_polling_is_off_unless_asked_for(hub, raw):
    opened = await raw(hub, upgrade=False)
    opened.writer.write(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: hub\r\n\r\n")
    assert (await opened.reader.readline()).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_only_opens_is_closed_in_time(hub, raw):
    opened = await raw(hub)
    await opened.receive()
    assert await opened.closed() == (1008, "no namespace was joined in time")


def noise(chance: random.Random, opened) -> bytes:
    """A frame that is lawful, broken a little, or nothing but bytes."""
    packets = [b"40", b'42["message",1]', b'421["work",3]', b"41", b"3", b'42["mess', b"43", b"40/custom,", b"452-[]"]
    packet = bytearray(chance.choice(packets))
    for _ in range(chance.choice((0, 0, 1, 3))):
        packet[chance.randrange(len(packet))] = chance.randrange(256)
    frame = bytearray(
        opened.frame(chance.choice((1, 1, 1, 1, 9, 10, 0, 8, 2)), bytes(packet), final=chance.random() < 0.9)
    )
    if chance.random() < 0.1:
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
    return bytes(frame)


async def test_noise_harms_nobody(hub, raw, joined):
    """`HOTPASS_TEST_FUZZED_FRAMES=1000000` for the long run."""
    witness = await joined(hub)
    chance = random.Random(2024)
    sent = 0
    resident = psutil.Process(hub.process.pid).memory_info
    half_way = 0
    while sent < FUZZED_FRAMES:
        if not half_way and sent >= FUZZED_FRAMES / 2:
            half_way = resident().rss
        opened = await raw(hub)
        for _ in range(50):
            opened.writer.write(noise(chance, opened))
            sent += 1
        with suppress(OSError):
            opened.writer.write_eof()
        assert b"HTTP" not in await opened.gone()
        await opened.close()
    witness.send('42["message","still here"]')
    assert await witness.receive_event() == '42["message-back","still here"]'
    state = await hub.until(lambda state: state["sessions"] == 1)
    assert state["participants"] == 1
    assert state["rooms"] == 0
    assert resident().rss - half_way < MOST_GROWTH_BYTES


async def test_a_thousand_leave_at_once(hub, joined, raw):
    async def come():
        opened = await raw(hub)
        opened.send("40")
        assert (await opened.receive()).startswith("0{")
        assert (await opened.receive_event()).startswith("40")
        return opened

    crowd = [each for _ in range(10) for each in await asyncio.gather(*(come() for _ in range(100)))]
    before = len((await hub.state())["left"])
    for each in crowd:
        each.writer.transport.abort()
    state = await hub.until(lambda state: state["sessions"] == 0 and len(state["left"]) >= before + 1000)
    assert len(state["left"]) == before + 1000
    assert (state["participants"], state["rooms"]) == (0, 0)
