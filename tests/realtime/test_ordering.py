"""The order of changes is dense: each change one place, each topic 1, 2, 3, …, however rows fall into batches."""

from __future__ import annotations

from collections import defaultdict
from itertools import count, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.realtime.ordering import arrange, columns, topics_of

NUMBERS = count(1)
AT = "2026-01-01T00:00:00.000000+00:00"
NAMES = ("kitchen:a", "kitchen:b", "order:c", "operations:d")


def row(topics: list[str], gone: list[str] | None = None, *, is_deleted: bool = False) -> dict[str, Any]:
    return {
        "entity": "order", "entity_id": "o", "version": 1, "event": "order.changed", "at": AT, "topics": topics,
        "gone": gone or [], "row": None if is_deleted else "{}", "is_erased": False, "id": next(NUMBERS),
    }  # fmt: skip


@st.composite
def outbox_rows(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    cut = draw(st.integers(0, len(names)))
    if draw(st.booleans()):
        return row([], names, is_deleted=True)
    return row(names[:cut], names[cut:])


def test_a_row_is_put_where_it_is_and_out_where_it_no_longer_is():
    batch = arrange([row(["kitchen:b"], ["kitchen:a"])], pos=7, heads={"kitchen:a": 4, "kitchen:b": 0})
    (change,) = batch.changes
    assert change.pos == 8
    assert change.places == [("kitchen:b", 1, "put"), ("kitchen:a", 5, "out")]


def test_a_deleted_row_is_deleted_everywhere():
    batch = arrange([row([], ["kitchen:a", "order:c"], is_deleted=True)], pos=0, heads={"kitchen:a": 1, "order:c": 2})
    assert batch.changes[0].places == [("kitchen:a", 2, "delete"), ("order:c", 3, "delete")]
    assert batch.log_ops == ["delete", "delete"]


def test_an_erased_row_is_out_everywhere():
    erased = row(["order:c"], ["kitchen:a"]) | {"row": None, "is_erased": True}
    batch = arrange([erased], pos=0, heads={"kitchen:a": 1, "order:c": 2})
    assert batch.changes[0].places == [("order:c", 3, "out"), ("kitchen:a", 2, "out")]


def test_a_row_of_no_topic_still_takes_its_place():
    batch = arrange([row([]), row(["order:c"])], pos=0, heads={"order:c": 0})
    assert [(change.pos, change.places) for change in batch.changes] == [(1, []), (2, [("order:c", 1, "put")])]


def test_nothing_is_arranged_out_of_nothing():
    batch = arrange([], pos=3, heads={})
    assert not any(columns(batch).values())


@given(rows=st.lists(outbox_rows(), max_size=30), cuts=st.sets(st.integers(0, 30)), start=st.integers(0, 10**12))
def test_places_and_offsets_are_dense_across_batches(rows: list[dict[str, Any]], cuts: set[int], start: int):
    heads = dict.fromkeys(topics_of(rows), 0)
    positions: list[int] = []
    offsets: dict[str, list[int]] = defaultdict(list)
    pos = start
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for begin, end in pairwise(edges):
        batch = arrange(rows[begin:end], pos=pos, heads=heads)
        pos += end - begin
        positions += [change.pos for change in batch.changes]
        for topic, offset in zip(batch.log_topics, batch.log_offsets, strict=True):
            offsets[topic].append(offset)
    assert positions == list(range(start + 1, start + 1 + len(rows)))
    assert all(given == list(range(1, len(given) + 1)) for given in offsets.values())
    assert {topic: len(given) for topic, given in offsets.items()} == {
        name: head for name, head in heads.items() if head
    }


@given(rows=st.lists(outbox_rows(), max_size=20))
def test_both_logs_are_told_the_same(rows: list[dict[str, Any]]):
    batch = arrange(rows, pos=0, heads=dict.fromkeys(topics_of(rows), 0))
    written = columns(batch)
    logs = ([int(one) if key not in {"topics", "ops"} else one for one in written[f"log_{key}"].split()]
        for key in ("topics", "offsets", "audit_ids", "ops"))  # fmt: skip
    by_change = {
        (topic, offset, row["id"], op)
        for row, change in zip(rows, batch.changes, strict=True)
        for topic, offset, op in change.places
    }
    by_topic = list(zip(*logs, strict=True))
    assert set(by_topic) == by_change
    assert len(by_topic) == len(by_change)
    assert written["audit_ids"].split() == [str(row["id"]) for row in rows]
    told = [offsets.split() for offsets in written["offsets"].split(",")] if rows else []
    assert told == [[str(offset) for _, offset, _ in change.places] for change in batch.changes]
    assert written["first"] == (1 if rows else 0)
