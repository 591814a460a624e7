"""What must be true at the end, whatever was killed: the log against the rows, and every subscriber against both.

Each function answers sentences about what is wrong; none is the only good answer. They trust neither the sequencer's
tables among each other nor the hub: the rows of the trade's own tables are the truth, and versions count their changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from db import pipeline
from db.invariants import broken_places
from db.snapshots import TABLES
from db.statement import Connection
from hub.client.fold import Change, TopicFold
from hub.domain.topics import parse_topic
from hub.domain.views import VIEWS, cut

ROLLED_BACK = "this was rolled back"
LOGGED = """
select entity, entity_id, array_agg(version order by pos) as versions,
    (array_agg(row is null order by pos desc))[1] as is_deleted
from change group by entity, entity_id
"""
IN_TOPIC = """
select t.topic_offset, a.entity, a.entity_id, a.version, t.op from topic_log t join audit_event a on a.id = t.audit_id where t.topic = $1
"""  # noqa: E501

Place = tuple[str, str, int]


@dataclass(slots=True)
class Journal:
    """Every live change that one subscriber applied, by topic."""

    seen: dict[str, list[Change]] = field(default_factory=dict)

    def keep(self, fold: TopicFold, change: Change) -> None:
        """To be given to `Watchers.on_change`."""
        self.seen.setdefault(fold.topic, []).append(change)


async def wrong_in_log(conn: Connection, acknowledged: Iterable[Place] = ()) -> list[str]:
    """Every committed version exactly once, none that was rolled back, offsets dense."""
    wrong = [f"{name}: {one['places']}" for name, one in (await broken_places(conn)).items() if not one["holds"]]
    logged = {(row["entity"], row["entity_id"]): row for row in await conn.fetch(LOGGED)}
    for entity in VIEWS:
        for row in await conn.fetch(f"select id::text, version from {TABLES.get(entity, entity)}"):
            told = logged.pop((entity, row["id"]), None)
            versions = told["versions"] if told else []
            if versions != list(range(1, row["version"] + 1)):
                wrong.append(f"{entity} {row['id']} has version {row['version']}, its log tells {versions}")
    for (entity, entity_id), told in logged.items():
        if not told["is_deleted"] or told["versions"] != list(range(1, len(told["versions"]) + 1)):
            wrong.append(f"{entity} {entity_id} is not there, its log tells {told['versions']}")
    places = {tuple(row) for row in await conn.fetch("select entity, entity_id, version from change")}
    wrong += [f"acknowledged, but not in the log: {place}" for place in acknowledged if place not in places]
    undone = await conn.fetchval("select count(*) from change where row like $1", f"%{ROLLED_BACK}%")
    return wrong + ([f"{undone} changes that were rolled back"] if undone else [])


async def expected(conn: Connection, topic: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a topic as the database's own `topics_of` has them, cut to what its kind may see."""
    parsed = parse_topic(topic)
    assert parsed is not None
    found = {}
    for entity, kinds in VIEWS.items():
        if parsed.kind in kinds:
            table = TABLES.get(entity, entity)
            query = f"select row_to_json(t)::text from {table} t where $1 = any(topics_of(t))"
            for (text,) in await conn.fetch(query, topic):
                row = orjson.loads(text)
                found[entity, row["id"]] = cut(entity, parsed.kind, row)
    return found


async def wrong_in_fold(conn: Connection, fold: TopicFold) -> list[str]:
    """A subscriber that was told of everything holds exactly the present rows. Call it when nothing moves any more."""
    head = (await pipeline.TOPIC_SPAN.only(conn, topic=fold.topic))["head"]
    fold.reach(head)
    wrong = [] if fold.tally.is_clean else [f"{fold.topic}: {fold.tally}"]
    if fold.offset != head:
        wrong.append(f"{fold.topic}: at {fold.offset}, the head is {head}")
    held = {key: row for key, (_, row) in fold.held.items() if row is not None}
    there = await expected(conn, fold.topic)
    differing = [key for key in held.keys() | there.keys() if held.get(key) != there.get(key)]
    return wrong + [f"{fold.topic}: {key} is {held.get(key)}, should be {there.get(key)}" for key in differing]


async def wrong_in_journal(conn: Connection, journal: Journal) -> list[str]:
    """What a subscriber applied stands at the same offset of the log: all saw one order."""
    wrong = []
    for topic, changes in journal.seen.items():
        log = {row[0]: tuple(row)[1:] for row in await conn.fetch(IN_TOPIC, topic)}
        for change in changes:
            told = (change.entity, change.id, change.version, change.op)
            if log.get(change.offset) != told:
                wrong.append(f"{topic} at {change.offset}: told {told}, the log has {log.get(change.offset)}")
    return wrong
