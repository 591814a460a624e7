"""A topic's recent changes in memory: never a hole, whatever is read from the log beside what came live."""

from __future__ import annotations

import pytest

from hub.domain.topics import TopicKind
from hub.realtime.topic_state import TopicState


def state_with(ring: range, *, head: int | None, room: int = 10) -> TopicState:
    state = TopicState("kitchen:1", TopicKind.KITCHEN, room)
    state.head = head
    state.ring.extend((offset, b"%d" % offset) for offset in ring)
    return state


def bodies(offsets: range) -> list[bytes]:
    return [b"%d" % offset for offset in offsets]


@pytest.mark.parametrize(
    ("ring", "head", "read", "kept"),
    [
        (range(0), None, range(4, 8), range(4, 8)),  # the first client after a restart
        (range(0), 7, range(4, 8), range(4, 8)),  # nothing has come since somebody went live
        (range(8, 10), 9, range(4, 8), range(4, 10)),  # what was read meets what came
        (range(6, 10), 9, range(4, 8), range(4, 10)),  # they overlap
        (range(4, 10), 9, range(6, 10), range(4, 10)),  # nothing new was read
        (range(8, 10), 9, range(4, 7), range(8, 10)),  # a hole would be left
        (range(0), 9, range(4, 8), range(0)),  # more has come than was read, and is not kept
        (range(8, 14), 13, range(1, 8), range(4, 14)),  # the oldest have no room
        (range(8, 18), 17, range(4, 8), range(8, 18)),  # there is no room at all
    ],
)
def test_what_was_read_joins_what_came_without_a_hole(ring: range, head: int | None, read: range, kept: range):
    state = state_with(ring, head=head)
    state.reach_back(read.start - 1, bodies(read))
    assert [offset for offset, _ in state.ring] == list(kept)
    assert all(body == b"%d" % offset for offset, body in state.ring)
