"""What leaves together: one write per client for everything that is ready, in the order of each topic."""

from __future__ import annotations

import orjson
import pytest

from hub.domain.topics import TopicKind
from hub.realtime.bound import MOST_WRITTEN_BYTES
from hub.realtime.changes import Change
from hub.realtime.fanout import MOST_BUFFERED, Fanout, resync_packet
from hub.realtime.frames import change_frame, event_frame, texts_of

KITCHEN, OTHER, ORDER = "kitchen:1", "kitchen:2", "order:1"


class Writer:
    """A client that keeps what is written to it, until it is told to refuse."""

    queued_bytes = 0

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.answers: list[bytes] = []
        self.is_full = False

    def write(self, frame: bytes) -> bool:
        if not self.is_full:
            self.writes.append(frame)
        return not self.is_full

    def answer(self, text: bytes) -> bool:
        self.answers.append(text)
        return True

    def close(self, code: int, reason: str, *, farewell: bytes = b"") -> None:
        raise AssertionError((code, reason))

    def told(self, at: int = 0) -> list[tuple[str, int]]:
        """(topic, offset) of every change in one write."""
        changes = [orjson.loads(text[2:])[1] for text in texts_of(self.writes[at])]
        return [(change["topic"], change["offset"]) for change in changes]


def change(pos: int, *places: tuple[str, int]) -> Change:
    row = orjson.dumps({"id": "1", "name": "Miso", "version": pos}).decode()
    told = [(topic, offset, "put") for topic, offset in places]
    return Change(pos, "order", "1", pos, "order.changed", row, "2026-01-01T00:00:00+00:00", told)


def follow(fanout: Fanout, writer: Writer, *topics: str) -> None:
    for name in topics:
        state = fanout.topic(name, TopicKind(name.partition(":")[0]))
        fanout.join(state, str(id(writer)))
        fanout.go_live(state, str(id(writer)), writer, after=0)


@pytest.fixture
def fanout() -> Fanout:
    return Fanout(ring_changes=16)


async def test_all_that_is_ready_for_a_client_is_one_write(fanout: Fanout):
    both, one = Writer(), Writer()
    follow(fanout, both, KITCHEN, ORDER)
    follow(fanout, one, KITCHEN)
    fanout.deliver(1, [change(1, (KITCHEN, 1), (ORDER, 1)), change(2, (OTHER, 1)), change(3, (ORDER, 2), (KITCHEN, 2))])
    assert len(both.writes) == len(one.writes) == 1
    assert sorted(both.told()) == [(KITCHEN, 1), (KITCHEN, 2), (ORDER, 1), (ORDER, 2)]
    assert [offset for topic, offset in both.told() if topic == ORDER] == [1, 2]
    assert one.told() == [(KITCHEN, 1), (KITCHEN, 2)]


async def test_a_client_that_does_not_drain_loses_every_topic_of_the_write_and_nobody_else_any(fanout: Fanout):
    slow, quick = Writer(), Writer()
    follow(fanout, slow, KITCHEN, ORDER, OTHER)
    follow(fanout, quick, KITCHEN, ORDER)
    slow.is_full = True
    fanout.deliver(1, [change(1, (KITCHEN, 1), (ORDER, 1))])
    slow.is_full = False
    fanout.deliver(1, [change(2, (KITCHEN, 2), (OTHER, 1))])
    assert slow.told() == [(OTHER, 1)]
    fanout.drained(str(id(slow)), slow)
    assert len(slow.writes) == 1
    assert sorted(slow.answers) == [resync_packet(KITCHEN), resync_packet(ORDER)]
    assert [told for at in range(2) for told in quick.told(at)] == [(KITCHEN, 1), (ORDER, 1), (KITCHEN, 2)]


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
    told = [each for at in range(len(client.writes)) for each in client.told(at)]
    for name in topics:
        assert [offset for topic, offset in told if topic == name] == list(range(1, 2_001))


async def test_a_join_that_would_buffer_too_much_is_lost(fanout: Fanout):
    client, state = Writer(), fanout.topic(KITCHEN, TopicKind.KITCHEN)
    fanout.join(state, "slow")
    fanout.deliver(1, [change(at, (KITCHEN, at)) for at in range(1, MOST_BUFFERED + 1)])
    assert fanout.go_live(state, "slow", client, after=0)
    assert sum(len(client.told(at)) for at in range(len(client.writes))) == MOST_BUFFERED
    fanout.join(state, "slow")
    fanout.deliver(1, [change(at, (KITCHEN, at)) for at in range(MOST_BUFFERED + 1, 2 * MOST_BUFFERED + 3)])
    assert state.joining["slow"].buffer == []
    client.writes.clear()
    assert not fanout.go_live(state, "slow", client, after=0)
    assert client.writes == [] and "slow" not in state.live
