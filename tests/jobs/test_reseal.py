"""A rotation of the data key: everything opens throughout, and in the end the old key is not needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from db.connection import Database
from db.encryption import DataKeys, blind_index, blind_indexes, make_data_keys, seal, unseal
from hub.jobs.reseal import remaining, reseal

OLD, NEW = "an old data secret of more than 32 bytes", "a new data secret of more than 32 bytes"
PEOPLE = 450
BLOCK = """
insert into block (kind, subject, effect, reason, author_id, expires_at)
select 'phone', $1, 'refuse', 'never at home', id, clock_timestamp() + interval '1 day' from person limit 1
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool over the test's database."""
    database = Database(database_url, size=2, application="tests")
    await database.start()
    yield database
    await database.stop()


async def fill(database: Database, keys: DataKeys) -> list[tuple[str, str]]:
    """People with a phone, and every tenth with an address; (id, phone)."""
    people = []
    async with database.connection() as conn:
        for number in range(PEOPLE):
            phone, address_id = f"+91982{number:07}", str(uuid4())
            person_id = str(await conn.fetchval("insert into person (name) values ('P') returning id"))
            sealed = seal(keys, phone, table="contact", column="phone", row_id=person_id)
            index = blind_index(keys, phone, purpose="phone")
            await conn.execute(
                "insert into contact (person_id, phone, phone_index) values ($1, $2, $3)", person_id, sealed, index
            )
            people.append((person_id, phone))
            if number % 10 == 0:
                line, notes = (
                    seal(keys, f"{column} {number}", table="address", column=column, row_id=address_id)
                    for column in ("line", "notes")
                )
                await conn.execute(
                    "insert into address (id, person_id, label, line, notes, lat, lon)"
                    " values ($1, $2, 'H', $3, $4, 1, 1)",
                    address_id, person_id, line, notes,
                )  # fmt: skip
        await conn.execute(BLOCK, blind_index(keys, people[7][1], purpose="phone").hex())
    return people


async def test_everything_comes_under_the_new_key_while_both_open(database: Database) -> None:
    people = await fill(database, make_data_keys(OLD))
    both, alone = make_data_keys(NEW, [OLD]), make_data_keys(NEW)
    async with database.connection() as conn:
        assert await remaining(conn, both) == {"contacts": PEOPLE, "addresses": PEOPLE // 10}
    assert await reseal(database, both) > 0
    async with database.connection() as conn:
        found = [
            await conn.fetchval(
                "select person_id::text from contact where phone_index = any($1::bytea[])",
                blind_indexes(both, phone, purpose="phone"),
            )
            for _, phone in people
        ]
    assert found == [person_id for person_id, _ in people]
    while await reseal(database, both):
        pass
    async with database.connection() as conn:
        assert await remaining(conn, alone) == {}
        for row in await conn.fetch("select person_id::text, phone, phone_index from contact"):
            phone = unseal(alone, row["phone"], table="contact", column="phone", row_id=row["person_id"])
            assert row["phone_index"] == blind_index(alone, phone, purpose="phone")
        for row in await conn.fetch("select id::text, line, notes from address"):
            assert unseal(alone, row["line"], table="address", column="line", row_id=row["id"]).startswith("line ")
        assert await conn.fetchval("select subject from block") == blind_index(
            alone, people[7][1], purpose="phone"
        ).hex()  # fmt: skip


async def test_a_block_of_a_number_that_nobody_has_is_found_under_the_new_key(database: Database) -> None:
    old, both, alone = make_data_keys(OLD), make_data_keys(NEW, [OLD]), make_data_keys(NEW)
    phone = "+919820000001"
    async with database.connection() as conn:
        await conn.execute("insert into person (name) values ('P')")
        block_id = str(await conn.fetchval(BLOCK + " returning id", blind_index(old, phone, purpose="phone").hex()))
        assert await remaining(conn, both) == {"blocks": 1}
        sealed = seal(old, phone, table="block_phone", column="phone", row_id=block_id)
        await conn.execute("insert into block_phone (block_id, phone) values ($1, $2)", block_id, sealed)
        assert await remaining(conn, both) == {"blocks": 1}
    assert await reseal(database, both) == 1
    async with database.connection() as conn:
        assert await remaining(conn, alone) == {}
        row = await conn.fetchrow("select b.subject, p.phone from block b join block_phone p on p.block_id = b.id")
    assert row["subject"] == blind_index(alone, phone, purpose="phone").hex()
    assert unseal(alone, row["phone"], table="block_phone", column="phone", row_id=block_id) == phone


async def test_nothing_is_done_when_nothing_was_rotated(database: Database) -> None:
    await fill(database, make_data_keys(OLD))
    assert await reseal(database, make_data_keys(OLD)) == 0
