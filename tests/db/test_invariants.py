"""`hotpass verify` finds what is planted, and nothing in a database that is well."""

from __future__ import annotations

import asyncpg
import pytest

from db.invariants import INVARIANTS, verify

CHANGE = """
with audited as (
    insert into audit_event (entity, entity_id, version, event, actor, row, topics)
    values ('kitchen', 'k', $2, 'kitchen.changed', 'test', '{}', '{t}') returning id
)
insert into change_log (pos, day, audit_id, offsets) select $1, current_date, id, array[$3::bigint] from audited
returning audit_id
"""
TOPIC = "insert into topic_log (topic, topic_offset, audit_id, op, day) values ('t', $1, $2, 'put', current_date)"
# The sequencer says that it has worked off all that is committed.
WORKED_OFF = """
insert into sequencer_place (number, term, pos, snapshot, after_id) select 1, 0, 0, pg_current_snapshot()::text, 0
"""
AUDIT = """
insert into audit_event (entity, entity_id, version, event, actor, row)
values ('order', 'o', $1, 'order.placed', 'test', json_build_object('status', $2::text)::text)
"""


async def broken(url: str) -> set[str]:
    return {name for name, row in (await verify(url)).items() if not row["holds"]}


async def plant(url: str, *changes: tuple[int, int, int], in_topic: bool = True) -> None:
    """Write changes (pos, version, offset) past the sequencer."""
    connection = await asyncpg.connect(url)
    try:
        for pos, version, offset in changes:
            audit_id = await connection.fetchval(CHANGE, pos, version, offset)
            if in_topic:
                await connection.execute(TOPIC, offset, audit_id)
    finally:
        await connection.close()


async def test_a_fresh_database_is_well(database_url: str) -> None:
    found = await verify(database_url)
    assert list(found) == [*(invariant.name for invariant in INVARIANTS), "audit"]
    assert await broken(database_url) == set()


async def test_a_log_without_a_hole_is_well(database_url: str) -> None:
    await plant(database_url, (1, 1, 1), (2, 2, 2), (3, 3, 3))
    assert await broken(database_url) == set()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ([(1, 1, 1), (3, 2, 2)], "places"),
        ([(1, 1, 1), (2, 2, 3)], "offsets"),
        ([(1, 1, 2)], "offsets"),
        ([(1, 2, 1), (2, 1, 2)], "versions"),
        ([(1, 1, 1), (2, 1, 2)], "versions"),
    ],
)
async def test_a_planted_fault_is_found(database_url: str, changes: list[tuple[int, int, int]], name: str) -> None:
    await plant(database_url, *changes)
    assert await broken(database_url) == {name}


async def test_a_change_that_its_topic_never_got_is_found(database_url: str) -> None:
    await plant(database_url, (1, 1, 1), in_topic=False)
    assert "topics" in await broken(database_url)


async def test_a_lost_change_and_an_illegal_move_are_found(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(AUDIT, 1, "placed")
        await connection.execute(AUDIT, 2, "delivered")
        await connection.execute(WORKED_OFF)
    finally:
        await connection.close()
    assert await broken(database_url) == {"changes", "moves"}


async def test_a_change_that_still_waits_for_its_place_is_well(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(WORKED_OFF)
        await connection.execute(AUDIT, 1, "placed")
    finally:
        await connection.close()
    assert await broken(database_url) == set()
