"""The WebSocket codec: every cut of a lawful stream gives the same messages, every breach its close code."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings, strategies

from hub.realtime import frames
from hub.realtime.frames import FrameError, FrameReader

LIMIT = 70_000


def client_frame(opcode: int, payload: bytes, *, final: bool = True, mask: bytes = b"mask") -> bytes:
    size = len(payload)
    length = (
        bytes((0x80 | size,))
        if size < 126
        else bytes((0xFE,)) + size.to_bytes(2, "big")
        if size < 1 << 16
        else bytes((0xFF,)) + size.to_bytes(8, "big")
    )
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes(((0x80 if final else 0) | opcode,)) + length + mask + masked


messages = strategies.lists(
    strategies.tuples(
        strategies.sampled_from([frames.TEXT, frames.PING, frames.PONG]), strategies.binary(max_size=125)
    ),
    max_size=8,
)


@given(messages, strategies.binary(min_size=4, max_size=4), strategies.randoms())
@settings(max_examples=200, deadline=None)
def test_any_cut_of_the_stream_gives_the_same_messages(sent, mask, chance):
    stream = b"".join(client_frame(opcode, payload, mask=mask) for opcode, payload in sent)
    reader, received = FrameReader(LIMIT), []
    while stream:
        cut = chance.randint(1, len(stream))
        received += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert received == sent


@given(strategies.lists(strategies.binary(max_size=300), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_fragments_are_joined_around_a_ping(parts):
    last = len(parts) - 1
    stream = b"".join(
        client_frame(frames.TEXT if at == 0 else frames.CONTINUATION, part, final=at == last)
        + (client_frame(frames.PING, b"?") if at < last else b"")
        for at, part in enumerate(parts)
    )
    received = list(FrameReader(LIMIT).feed(stream))
    assert received == [(frames.PING, b"?")] * last + [(frames.TEXT, b"".join(parts))]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, LIMIT])
def test_every_length_is_read(size):
    payload = random.Random(size).randbytes(size)
    assert list(FrameReader(LIMIT).feed(client_frame(frames.TEXT, payload))) == [(frames.TEXT, payload)]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x01x", 1002),  # not masked
        (b"\xc1\x80mask", 1002),  # RSV1
        (b"\xa1\x80mask", 1002),  # RSV2
        (b"\x91\x80mask", 1002),  # RSV3
        (b"\x83\x80mask", 1002),  # reserved opcode
        (b"\x8b\x80mask", 1002),  # reserved control opcode
        (b"\x82\x80mask", 1003),  # binary
        (b"\x09\x80mask", 1002),  # fragmented ping
        (b"\x89\xfe\x00\x7e", 1002),  # ping of 126 bytes
        (b"\x80\x80mask", 1002),  # continuation of nothing
        (b"\x01\x80mask\x81\x80mask", 1002),  # a message within a message
        (b"\x81\xfe\x00\x05", 1002),  # length not in the shortest form
        (b"\x81\xff" + (300).to_bytes(8, "big"), 1002),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big"), 1009),
        (b"\x81\xff" + (LIMIT + 1).to_bytes(8, "big"), 1009),
        (client_frame(1, b"x" * LIMIT, final=False) + client_frame(0, b"x"), 1009),
    ],
)
def test_a_breach_is_named(stream, code):
    with pytest.raises(FrameError) as caught:
        list(FrameReader(LIMIT).feed(stream))
    assert caught.value.code == code


@pytest.mark.parametrize(("payload", "code"), [(b"", 1005), (b"\x03\xe8", 1000), (b"\x0b\xb8bye", 3000)])
def test_a_lawful_close_is_read(payload, code):
    assert frames.close_code(payload) == code


@pytest.mark.parametrize("payload", [b"\x03", b"\x03\xed", b"\x00\x00", b"\x13\x88", b"\x03\xe8\xff"])
def test_an_unlawful_close_is_refused(payload):
    with pytest.raises(FrameError):
        frames.close_code(payload)


def test_noise_raises_nothing_but_frame_errors():
    chance = random.Random(7)
    codes = set()
    for _ in range(10_000):
        try:
            list(FrameReader(1000).feed(chance.randbytes(chance.randint(1, 40))))
        except FrameError as error:
            codes.add(error.code)
    assert codes == {1002, 1003, 1009}


@given(strategies.lists(strategies.binary(max_size=70_000), max_size=4))
@settings(max_examples=50, deadline=None)
def test_joined_frames_come_apart_again(texts):
    assert list(frames.texts_of(b"".join(map(frames.text_frame, texts)))) == texts


def test_an_event_is_one_socket_io_packet():
    frame = frames.event_frame("change", b'{"id":1}')
    assert list(frames.texts_of(frame)) == [b'42["change",{"id":1}]']
    assert frame[0] == 0x81


def test_a_long_reason_is_cut_on_a_whole_character():
    frame = frames.close_frame(1000, "é" * 100)
    assert len(frame) <= 127
    assert frame[4:].decode() == "é" * 61
