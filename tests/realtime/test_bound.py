"""What is kept for a client that reads nothing, on a real connection: never more than its bound, kernel included."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import uvloop
from hypothesis import given, strategies

from hub.domain.topics import TopicKind
from hub.realtime import frames
from hub.realtime.bound import Backlog, bound_of
from hub.realtime.changes import Change
from hub.realtime.fanout import Fanout, resync_packet
from hub.realtime.frames import FrameError, texts_of
from hub.realtime.topic_state import MOST_BUFFERED
from hub.realtime.transport import Carrier, Connection, Wire
from tests.town import PATIENCE_SECONDS

BUFFER_BYTES = 256 * 1024
BOUND = bound_of(BUFFER_BYTES)
TOPIC, SID, RING = "kitchen:1", "client", 20


@dataclass
class Told:
    """The owner of a connection: what it was told, and the fan-out that hears of the end of slowness."""

    fanout: Fanout = field(default_factory=lambda: Fanout(ring_changes=RING))
    words: list[str] = field(default_factory=list)
    connection: Connection | None = None

    def text_received(self, text: str) -> None:
        self.words.append(text)

    def carrier_lost(self, carrier: Carrier, reason: str) -> None:
        self.words.append(reason)

    def carrier_failed(self, carrier: Carrier, error: FrameError) -> None:
        self.words.append(error.closing)
        carrier.close(error.code, error.reason)

    def carrier_slow(self) -> None:
        self.words.append("slow")

    def carrier_drained(self) -> None:
        self.words.append("drained")
        assert self.connection is not None
        self.fanout.drained(SID, self.connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A connection, and the far end of its wire, where nobody reads until asked to."""

    connection: Connection
    told: Told
    near: socket.socket
    far: socket.socket

    @property
    def kept_bytes(self) -> int:
        """What process and kernel keep for the client, in this direction and on this side."""
        (in_kernel,) = struct.unpack("i", fcntl.ioctl(self.near.fileno(), termios.TIOCOUTQ, bytes(4)))
        return in_kernel + self.connection.queued_bytes

    async def read(self, *, until: bytes) -> list[bytes]:
        """The texts that come, the last of them ends with `until`."""
        received = b""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not received.endswith(until):
                received += await loop.sock_recv(self.far, 1 << 20)
        return list(texts_of(received))


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    """Over TCP, whose far end has a small window."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
        far.connect(server.getsockname())
        near, _ = server.accept()
        far.setblocking(False)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        told = Told()
        wire = Wire(message_bytes=64 * 1024, bound=BOUND, linger=lambda _: None, connections=set())
        told.connection = Connection(told, wire, transport)
        transport.set_protocol(told.connection)
        try:
            yield Line(connection=told.connection, told=told, near=near, far=far)
        finally:
            transport.abort()
            far.close()
            await asyncio.sleep(0)


def change(offset: int, text_bytes: int) -> Change:
    row = orjson.dumps({"id": "1", "name": "x" * text_bytes, "version": offset}).decode()
    return Change(
        offset, "item", "1", offset, "item.changed", row, "2026-01-01T00:00:00+00:00", [(TOPIC, offset, "put")]
    )


def offsets(texts: list[bytes]) -> list[int]:
    return [orjson.loads(text[2:])[1]["offset"] for text in texts if text.startswith(b'42["change"')]


def on_either_loop(test: Any) -> None:
    """Run on asyncio's own loop, and on the one that the hub runs on: each counts what it queues in its own way."""
    for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(test())


@pytest.mark.parametrize(("count", "text_bytes"), [(10_000, 300), (200, 30_000), (30, 100_000), (1, 3_000_000)])
def test_a_burst_far_above_the_bound_is_cut_at_the_bound_and_resynced(count: int, text_bytes: int):
    async def burst() -> None:
        async with line() as kept:
            fanout = kept.told.fanout
            state = fanout.topic(TOPIC, TopicKind.KITCHEN)
            fanout.join(state, SID)
            fanout.go_live(state, SID, kept.connection, after=0)
            fanout.deliver(1, [change(offset, text_bytes) for offset in range(1, count + 1)])
            assert kept.kept_bytes <= BUFFER_BYTES
            assert kept.told.words == ["slow"]
            assert not state.live
            fanout.deliver(1, [change(count + 1, 10)])
            texts = await kept.read(until=resync_packet(TOPIC))
            assert offsets(texts) == list(range(1, len(texts)))
            assert kept.told.words[:2] == ["slow", "drained"]
            assert not kept.connection.write(bytes(BOUND.held_bytes + 1))

    on_either_loop(burst)


def test_a_burst_that_the_ring_remembers_arrives_whole_however_late_it_is_read():
    async def burst() -> None:
        async with line() as kept:
            fanout = kept.told.fanout
            state = fanout.topic(TOPIC, TopicKind.KITCHEN)
            fanout.join(state, SID)
            fanout.go_live(state, SID, kept.connection, after=0)
            fanout.deliver(1, [change(offset, 50_000) for offset in range(1, RING + 1)])
            assert kept.kept_bytes <= BUFFER_BYTES
            assert not state.live
            last = change(RING, 50_000).body(TOPIC, TopicKind.KITCHEN, 1, RING, "put")
            assert last is not None
            texts = await kept.read(until=last + b"]")
            assert offsets(texts) == list(range(1, RING + 1))
            assert state.live == {SID: kept.connection}
            assert kept.told.words[:2] == ["slow", "drained"]

    on_either_loop(burst)


def test_what_a_join_has_buffered_is_cut_at_the_bound_too():
    async def go_live() -> None:
        async with line() as kept:
            fanout = kept.told.fanout
            state = fanout.topic(TOPIC, TopicKind.KITCHEN)
            fanout.join(state, SID)
            fanout.deliver(1, [change(offset, 300) for offset in range(1, MOST_BUFFERED + 1)])
            assert fanout.go_live(state, SID, kept.connection, after=100)
            assert kept.kept_bytes <= BUFFER_BYTES
            texts = await kept.read(until=resync_packet(TOPIC))
            assert offsets(texts) == list(range(101, 100 + len(texts)))

    on_either_loop(go_live)


def test_answers_lie_beside_the_bound_and_lift_it_for_nothing_else():
    async def ask() -> None:
        async with line() as kept:
            small = frames.text_frame(b"4" + b"x" * 1000)
            page = b"4" + b"y" * 128 * 1024
            for _ in range(8):
                assert kept.connection.answer(page)
                while kept.connection.write(small):
                    pass
            held = kept.connection.queued_bytes
            assert held <= 8 * (len(page) + 10) + BOUND.held_bytes
            assert held > 6 * len(page)
            # What has been read of the answers makes no room for changes: they lie behind.
            async with asyncio.timeout(PATIENCE_SECONDS):
                while kept.connection.queued_bytes > BOUND.held_bytes + len(page):
                    await asyncio.get_running_loop().sock_recv(kept.far, 1 << 16)
                    while kept.connection.write(small):
                        pass
            assert kept.connection.queued_bytes <= BOUND.held_bytes + len(page)

    on_either_loop(ask)


def test_changes_go_on_behind_an_answer_far_above_the_bound():
    async def ask() -> None:
        async with line() as kept:
            assert kept.connection.answer(b"4" + b"y" * 2 * BUFFER_BYTES)
            assert kept.connection.write(bytes(BOUND.held_bytes))
            assert not kept.connection.write(bytes(1))

    on_either_loop(ask)


def test_answers_that_nobody_reads_end_at_sixteen_bounds():
    async def ask() -> None:
        async with line() as kept:
            page, most = b"4" + b"y" * 128 * 1024, 0
            for _ in range(40):
                kept.connection.answer(page)
                most = max(most, kept.connection.queued_bytes)
            assert 15 * BUFFER_BYTES < most <= 16 * BUFFER_BYTES
            assert kept.told.words == ["slow", "too_slow", "server disconnect"]
            assert not kept.connection.write(frames.text_frame(b"4x"))

    on_either_loop(ask)


@given(
    strategies.lists(
        strategies.tuples(strategies.sampled_from(["answer", "change", "send"]), strategies.integers(1, 50)),
        max_size=60,
    )
)
def test_a_backlog_knows_which_of_its_bytes_are_answers(steps: list[tuple[str, int]]):
    queued = [False]
    backlog = Backlog(1)
    for step, size in steps:
        if step == "send":
            del queued[:size]
        else:
            queued += [step == "answer"] * size
            (backlog.answered if step == "answer" else backlog.wrote)(size)
        assert backlog.answers_bytes(len(queued)) == sum(queued)
