"""The order of changes: what the sequencer decides in memory before it appends. Pure; no clock, no network.

Every change gets the next global `pos`, and the next dense offset in each topic that must know of it: `put` where the
row is now, `out` where it no longer is, `delete` when the row itself is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.realtime.changes import Change

MOST_HEADS = 500_000


@dataclass(slots=True, kw_only=True)
class Batch:
    """What one append writes. The lists of one group have equal length, in the order of the columns."""

    changes: list[Change] = field(default_factory=list)
    audit_ids: list[int] = field(default_factory=list)
    log_topics: list[str] = field(default_factory=list)
    log_offsets: list[int] = field(default_factory=list)
    log_audit_ids: list[int] = field(default_factory=list)
    log_ops: list[str] = field(default_factory=list)


def topics_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Every topic that must know of these outbox rows."""
    return {topic for row in rows for topic in (*row["topics"], *row["gone"])}


def ops_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """What an outbox row says to the topics it is in, and to those it left: as the view `change` has it.

    An erased row has no text any more; a newer version of it follows.
    """
    if row["row"] is not None:
        return "put", "out"
    return "out", "out" if row["is_erased"] else "delete"


def arrange(rows: Sequence[Mapping[str, Any]], *, pos: int, heads: dict[str, int]) -> Batch:
    """Give each outbox row (by rising id) its places after `pos`; `heads` (topic → last offset) is carried forward.

    Every topic of the rows must be in `heads`. A row that belongs to no topic still takes a `pos`.
    """
    batch = Batch()
    for row in rows:
        pos += 1
        here, gone = ops_of(row)
        places = []
        for topic, op in (*((topic, here) for topic in row["topics"]), *((topic, gone) for topic in row["gone"])):
            heads[topic] = offset = heads[topic] + 1
            places.append((topic, offset, op))
            batch.log_topics.append(topic)
            batch.log_offsets.append(offset)
            batch.log_audit_ids.append(row["id"])
            batch.log_ops.append(op)
        batch.audit_ids.append(row["id"])
        batch.changes.append(
            Change(pos, row["entity"], row["entity_id"], row["version"], row["event"], row["row"], row["at"], places)
        )
    return batch


def columns(batch: Batch) -> dict[str, str | int]:
    """The parameters of `db.pipeline.APPEND` that carry the batch: lists as text, apart by spaces.

    The offsets of one change are apart by spaces, those of two changes by a comma.
    """
    return {
        "first": batch.changes[0].pos if batch.changes else 0,
        "audit_ids": _text(batch.audit_ids),
        "offsets": ",".join(_text(offset for _, offset, _ in change.places) for change in batch.changes),
        "log_topics": " ".join(batch.log_topics),
        "log_offsets": _text(batch.log_offsets),
        "log_audit_ids": _text(batch.log_audit_ids),
        "log_ops": " ".join(batch.log_ops),
    }


def _text(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))
