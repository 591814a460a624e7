"""What leaves together: one write per client for everything that is ready, in the order of each topic."""

from __future__ import annotations

import orjson
import pytest

from hub.domain.topics import TopicKind
from hub.realtime.changes import Change
from hub.realtime.fanout import Fanout
from hub.realtime.frames import change_frame, event_frame, texts_of

KITCHEN, OTHER, ORDER = "kitchen:1", "kitchen:2", "order:1"


class Writer:
    """A client that keeps what is written to it, until it is told to refuse."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_full = False

    def write(self, frame: bytes) -> bool:
        if not self.is_full:
            self.writes.append(frame)
        return not self.is_full

    def close(self, code: int, reason: str) -> None:
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
    return Fanout(ring_changes=16, on_change=lambda _: None)


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
    resync = sorted(event_frame("resync", b'{"topic":"%b"}' % name.encode()) for name in (KITCHEN, ORDER))
    assert sorted(slow.writes[1:]) == resync
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
    slow.is_full = False
    fanout.drained(str(id(slow)), slow)
    assert slow.writes == [event_frame("resync", b'{"topic":"%b"}' % KITCHEN.encode())]
