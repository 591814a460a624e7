"""The chain over the audit: complete in whatever order transactions commit, and red after any tampering."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.audit import PAGE, chain_on
from db.audit_proof import broken_places, waiting_rows

KEY = b"a key of the tests that no database knows"
WRITE = """
insert into audit_event (entity, entity_id, version, event, actor, row)
select 'order', 'o', n, 'order.placed', 'test', '{"n": ' || n || '}' from generate_series($1::bigint, $2::bigint) n
"""
TAMPERINGS = {
    "a flipped byte": "update audit_event set row = overlay(row placing 'X' from 3 for 1) where id = 5",
    "another actor": "update audit_event set actor = 'somebody else' where id = 5",
    "another time": "update audit_event set at = at + interval '1 microsecond' where id = 5",
    "a deleted row": "delete from audit_event where id = 5",
    "the newest row deleted": "delete from audit_event where id = (select max(id) from audit_event)",
    "two rows exchanged": """with a as (select * from audit_event where id = 5), b as (select *
        from audit_event where id = 6)
        update audit_event e set row = case e.id when 5 then (select row from b) else (select row
            from a) end where id in (5, 6)""",
    "a row slipped in": """insert into audit_event (entity, entity_id, version, event, actor, row, xid)
        select entity, entity_id, version, event, 'forger', row, xid from audit_event where id = 5""",
    "a deleted link": "delete from audit_link where number = 5",
    "the newest link deleted": "delete from audit_link where number = (select max(number) from audit_link)",
    "two links exchanged": """with a as (select * from audit_link where number = 5), b as (select *
        from audit_link where number = 6)
        update audit_link l set row_hash = case l.number when 5 then (select row_hash
            from b) else (select row_hash from a) end
        where number in (5, 6)""",
    "a deleted anchor": "delete from audit_anchor where number = (select max(number) from audit_anchor)",
    "another anchor": "update audit_anchor set hash = sha256(hash)",
    "another snapshot": "update audit_anchor set snapshot = '1:1:'",
}


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database of one's own."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def chain_all(connection: asyncpg.Connection) -> int:
    total = 0
    while chained := (await chain_on(connection, KEY))[0]:
        total += chained
    return total


async def tamper(connection: asyncpg.Connection, statement: str) -> None:
    """Change what cannot be changed, as somebody could who owns the database."""
    tables = ("audit_event", "audit_link", "audit_anchor")
    for table in tables:
        await connection.execute(f"alter table {table} disable trigger user")
    await connection.execute(statement)
    for table in tables:
        await connection.execute(f"alter table {table} enable trigger user")


async def test_an_untouched_audit_is_well(connection: asyncpg.Connection) -> None:
    await connection.execute(WRITE, 1, 20)
    assert await waiting_rows(connection) >= 20
    assert await chain_all(connection) >= 20
    assert await waiting_rows(connection) == 0
    assert await broken_places(connection, keys=[KEY]) == []


@pytest.mark.parametrize("trick", TAMPERINGS)
async def test_tampering_is_found(connection: asyncpg.Connection, trick: str) -> None:
    await connection.execute(WRITE, 1, 10)
    await chain_all(connection)
    await connection.execute(WRITE, 11, 20)
    await chain_all(connection)
    await tamper(connection, TAMPERINGS[trick])
    assert await broken_places(connection, keys=[KEY]) != []


async def test_a_chain_written_anew_is_found_without_its_key(connection: asyncpg.Connection) -> None:
    await connection.execute(WRITE, 1, 10)
    await chain_all(connection)
    await tamper(connection, "delete from audit_link")
    await tamper(connection, "delete from audit_anchor")
    await tamper(connection, TAMPERINGS["another actor"])
    await chain_on(connection, b"the forger does not know the key of the house")
    assert await broken_places(connection, keys=[KEY]) != []


async def test_a_chain_cut_short_is_found_by_an_anchor_written_down(connection: asyncpg.Connection) -> None:
    await connection.execute(WRITE, 1, 10)
    await chain_all(connection)
    await connection.execute(WRITE, 11, 20)
    _, known = await chain_on(connection, KEY)
    for statement in (
        "delete from audit_event where id > 10",
        "delete from audit_link where number > 10",
        "delete from audit_anchor where number > 10",
    ):
        await tamper(connection, statement)
    assert await broken_places(connection, keys=[KEY]) == []
    assert await broken_places(connection, keys=[KEY], known=known) != []


EMPTY = "update audit_event set row = null, row_hash = sha256(convert_to(row, 'UTF8')) where id = 5"


async def test_an_emptied_row_keeps_its_place_in_the_chain(connection: asyncpg.Connection) -> None:
    await connection.execute(WRITE, 1, 10)
    await chain_all(connection)
    await connection.execute(EMPTY)
    assert await connection.fetchval("select row from audit_event where id = 5") is None
    assert await broken_places(connection, keys=[KEY]) == []


async def test_a_row_emptied_past_the_record_is_found(connection: asyncpg.Connection) -> None:
    await connection.execute(WRITE, 1, 10)
    await chain_all(connection)
    await tamper(connection, EMPTY)
    assert await broken_places(connection, keys=[KEY]) != []


@pytest.mark.parametrize(
    "change",
    ["row = null", "row = null, row_hash = sha256('x')", "row = 'x'", "actor = 'x'", EMPTY[23:-13] + ", actor = 'x'"],
)
async def test_a_row_is_emptied_and_nothing_else(connection: asyncpg.Connection, change: str) -> None:
    await connection.execute(WRITE, 1, 1)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await connection.execute(f"update audit_event set {change}")
    assert caught.value.sqlstate == "HP004"


async def test_a_row_that_commits_late_is_chained_late(connection: asyncpg.Connection, database_url: str) -> None:
    other = await asyncpg.connect(database_url)
    slow = other.transaction()
    await slow.start()
    await other.execute(WRITE, 1, 1)
    await connection.execute(WRITE, 2, 2)
    await chain_all(connection)
    late = await connection.fetchval("select count(*) from audit_event")
    await slow.commit()
    await other.close()
    assert await chain_all(connection) == 1
    assert await connection.fetchval("select count(*) from audit_link") == late + 1
    assert await broken_places(connection, keys=[KEY]) == []


async def test_more_rows_than_a_page_are_chained_whole(connection: asyncpg.Connection) -> None:
    await connection.execute(WRITE, 1, PAGE * 2 + 7)
    assert await chain_all(connection) == await connection.fetchval("select count(*) from audit_event")
    assert await broken_places(connection, keys=[KEY]) == []


@pytest.mark.parametrize("table", ["audit_event", "audit_link", "audit_anchor", "data_access"])
@pytest.mark.parametrize("statement", ["delete from {}", "update {} set at = at", "truncate {} cascade"])
async def test_the_database_refuses_to_forget(connection: asyncpg.Connection, table: str, statement: str) -> None:
    await connection.execute(WRITE, 1, 1)
    if table == "audit_link":
        statement = statement.replace("at = at", "number = number")
    with pytest.raises(asyncpg.PostgresError) as caught:
        await connection.execute(statement.format(table))
    assert caught.value.sqlstate == "HP004"
