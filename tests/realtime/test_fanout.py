"""What leaves together: one write per client for everything that is ready, in the order of each topic."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from hypothesis import given, settings, strategies

from hub.domain.topics import TopicKind
from hub.realtime.bound import MOST_WRITTEN_BYTES
from hub.realtime.changes import Change
from hub.realtime.fanout import Fanout, resync_packet
from hub.realtime.frames import change_frame, event_frame, texts_of
from hub.realtime.topic_state import MOST_BUFFERED

RING = 16
KITCHEN, OTHER, ORDER = "kitchen:1", "kitchen:2", "order:1"


class Writer:
    """A client that keeps what is written to it, until it is told to refuse."""

    queued_bytes = 0

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.answers: list[bytes] = []
        self.is_full = False
        # How many writes it takes yet; any number when None.
        self.room: int | None = None
        self.has_refused = False

    def write(self, frame: bytes) -> bool:
        if self.is_full or self.room == 0:
            self.has_refused = True
            return False
        self.room = None if self.room is None else self.room - 1
        self.writes.append(frame)
        return True

    def answer(self, text: bytes) -> bool:
        self.answers.append(text)
        return True

    def close(self, code: int, reason: str, *, farewell: bytes = b"") -> None:
        raise AssertionError((code, reason))

    def told(self, at: int = 0) -> list[tuple[str, int]]:
        """(topic, offset) of every change in one write."""
        changes = [orjson.loads(text[2:])[1] for text in texts_of(self.writes[at])]
        return [(change["topic"], change["offset"]) for change in changes]

    def everything(self) -> dict[str, list[int]]:
        """The offsets of each topic in all writes."""
        offsets: dict[str, list[int]] = {}
        for at in range(len(self.writes)):
            for topic, offset in self.told(at):
                offsets.setdefault(topic, []).append(offset)
        return offsets


def change(pos: int, *places: tuple[str, int]) -> Change:
    row = orjson.dumps({"id": "1", "name": "Miso" * 60, "version": pos}).decode()
    told = [(topic, offset, "put") for topic, offset in places]
    return Change(pos, "order", "1", pos, "order.changed", row, "2026-01-01T00:00:00+00:00", told)


def follow(fanout: Fanout, writer: Writer, *topics: str) -> None:
    for name in topics:
        state = fanout.topic(name, TopicKind(name.partition(":")[0]))
        fanout.join(state, str(id(writer)))
        fanout.go_live(state, str(id(writer)), writer, after=0)


@pytest.fixture
def fanout() -> Fanout:
    return Fanout(ring_changes=RING)


async def test_all_that_is_ready_for_a_client_is_one_write(fanout: Fanout):
    both, one = Writer(), Writer()
    follow(fanout, both, KITCHEN, ORDER)
    follow(fanout, one, KITCHEN)
    fanout.deliver(1, [change(1, (KITCHEN, 1), (ORDER, 1)), change(2, (OTHER, 1)), change(3, (ORDER, 2), (KITCHEN, 2))])
    assert len(both.writes) == len(one.writes) == 1
    assert sorted(both.told()) == [(KITCHEN, 1), (KITCHEN, 2), (ORDER, 1), (ORDER, 2)]
    assert [offset for topic, offset in both.told() if topic == ORDER] == [1, 2]
    assert one.told() == [(KITCHEN, 1), (KITCHEN, 2)]


async def test_a_client_that_does_not_drain_goes_on_where_it_was_left_and_nobody_else_waits(fanout: Fanout):
    slow, quick = Writer(), Writer()
    follow(fanout, slow, KITCHEN, ORDER, OTHER)
    follow(fanout, quick, KITCHEN, ORDER)
    slow.is_full = True
    fanout.deliver(1, [change(1, (KITCHEN, 1), (ORDER, 1))])
    slow.is_full = False
    fanout.deliver(1, [change(2, (KITCHEN, 2), (OTHER, 1))])
    assert slow.told() == [(OTHER, 1)]
    assert [told for at in range(2) for told in quick.told(at)] == [(KITCHEN, 1), (ORDER, 1), (KITCHEN, 2)]
    fanout.drained(str(id(slow)), slow)
    fanout.deliver(1, [change(3, (KITCHEN, 3))])
    assert slow.everything() == {KITCHEN: [1, 2, 3], ORDER: [1], OTHER: [1]}
    assert slow.answers == []


async def test_a_client_that_was_left_behind_what_is_remembered_is_resynced(fanout: Fanout):
    slow = Writer()
    follow(fanout, slow, KITCHEN, ORDER)
    slow.is_full = True
    fanout.deliver(1, [change(1, (KITCHEN, 1), (ORDER, 1))])
    fanout.deliver(1, [change(at, (KITCHEN, at)) for at in range(2, RING + 2)])
    slow.is_full = False
    fanout.drained(str(id(slow)), slow)
    fanout.deliver(1, [change(RING + 2, (KITCHEN, RING + 2), (ORDER, 2))])
    assert slow.everything() == {ORDER: [1, 2]}
    assert slow.answers == [resync_packet(KITCHEN)]


@given(steps=strategies.lists(strategies.tuples(strategies.integers(1, 60), strategies.integers(0, 4)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_whatever_a_client_takes_it_misses_nothing_unless_it_is_told(steps: list[tuple[int, int]]):
    """Batches of any length, to a client that takes so many writes more and drains: each topic has no hole."""
    with asyncio.Runner() as runner:
        runner.run(taking(steps))


async def taking(steps: list[tuple[int, int]]) -> None:
    fanout, client = Fanout(ring_changes=64), Writer()
    follow(fanout, client, KITCHEN, ORDER)
    head = 0
    for count, writes in steps:
        client.room = writes
        fanout.deliver(1, [change(at, (KITCHEN, at), (ORDER, at)) for at in range(head + 1, head + count + 1)])
        head += count
        if client.has_refused:
            client.has_refused, client.room = False, writes + 1
            fanout.drained(str(id(client)), client)
    client.room = None
    fanout.drained(str(id(client)), client)
    for name, offsets in client.everything().items():
        assert offsets == list(range(1, len(offsets) + 1))
        assert (len(offsets) == head) == (resync_packet(name) not in client.answers)


@pytest.mark.parametrize("length", [2, 113, 114, 115, 4_000, 65_523, 65_524, 70_000])
def test_a_change_is_framed_like_any_event(length: int):
    body = b'"%b"' % (b"x" * (length - 2))
    assert change_frame(body) == event_frame("change", body)


async def test_a_client_that_does_not_drain_hears_of_replaced_history_once_it_does(fanout: Fanout):
    slow = Writer()
    follow(fanout, slow, KITCHEN)
    slow.is_full = True
    fanout.renew()
    fanout.drained(str(id(slow)), slow)
    assert slow.answers == [resync_packet(KITCHEN)]


async def test_a_client_left_behind_in_a_history_that_was_replaced_does_not_go_on_in_the_new_one(fanout: Fanout):
    slow = Writer()
    follow(fanout, slow, KITCHEN)
    slow.is_full = True
    fanout.deliver(1, [change(1, (KITCHEN, 1))])
    fanout.renew()
    fanout.deliver(2, [change(1, (KITCHEN, 1))])
    slow.is_full = False
    fanout.drained(str(id(slow)), slow)
    assert (slow.writes, slow.answers) == ([], [resync_packet(KITCHEN)])


@pytest.mark.parametrize("again", ["subscribed", "left"])
async def test_a_topic_that_was_taken_up_or_left_meanwhile_is_not_resynced(fanout: Fanout, again: str):
    slow = Writer()
    follow(fanout, slow, KITCHEN)
    slow.is_full = True
    fanout.deliver(1, [change(1, (KITCHEN, 1))])
    slow.is_full = False
    if again == "subscribed":
        follow(fanout, slow, KITCHEN)
    else:
        fanout.leave(KITCHEN, str(id(slow)))
    fanout.drained(str(id(slow)), slow)
    assert slow.answers == []


async def test_what_is_heard_at_its_place_comes_behind_all_that_stands_before_it(fanout: Fanout):
    client, heard = Writer(), []
    follow(fanout, client, KITCHEN)
    fanout.hear(["order"], lambda one: heard.append((one.pos, len(client.writes))))
    fanout.deliver(1, [change(1, (KITCHEN, 1)), change(2, (KITCHEN, 2))])
    assert heard == [(1, 1), (2, 2)]


@pytest.mark.parametrize("topics", [(KITCHEN,), (KITCHEN, ORDER)], ids=["one topic", "two topics"])
async def test_no_write_of_many_frames_is_long(fanout: Fanout, topics: tuple[str, ...]):
    client = Writer()
    follow(fanout, client, *topics)
    fanout.deliver(1, [change(at, *((name, at) for name in topics)) for at in range(1, 2_001)])
    assert max(map(len, client.writes)) <= MOST_WRITTEN_BYTES
    assert len(client.writes) <= 2 * sum(map(len, client.writes)) // MOST_WRITTEN_BYTES + 1
    assert client.everything() == {name: list(range(1, 2_001)) for name in topics}


async def test_a_join_that_would_buffer_too_much_is_lost(fanout: Fanout):
    client, state = Writer(), fanout.topic(KITCHEN, TopicKind.KITCHEN)
    fanout.join(state, "slow")
    fanout.deliver(1, [change(at, (KITCHEN, at)) for at in range(1, MOST_BUFFERED + 1)])
    assert fanout.go_live(state, "slow", client, after=0)
    assert client.everything() == {KITCHEN: list(range(1, MOST_BUFFERED + 1))}
    fanout.join(state, "slow")
    fanout.deliver(1, [change(at, (KITCHEN, at)) for at in range(MOST_BUFFERED + 1, 2 * MOST_BUFFERED + 3)])
    assert state.joining["slow"].buffer == []
    client.writes.clear()
    assert not fanout.go_live(state, "slow", client, after=0)
    assert client.writes == [] and "slow" not in state.live
