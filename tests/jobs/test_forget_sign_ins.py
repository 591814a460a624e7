"""What can never be used again goes; what can be used stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from db.connection import Database
from hub.jobs.forget_sign_ins import forget_sign_ins

FILL = """
with p as (insert into person (name) values ('P') returning id),
s as (
    insert into session (person_id, kind, expires_at)
    select p.id, 'minted', clock_timestamp() + days * interval '1 day' from p, unnest(array[-31, -1, 30]) as days
    returning id, expires_at
),
t as (
    insert into refresh_token (hash, session_id, expires_at)
    select sha256(id::text::bytea), id, least(expires_at, clock_timestamp() + interval '1 day') from s
),
l as (
    insert into demo_link_used (token_id, used_at)
    values ('old', clock_timestamp() - interval '3 days'), ('new', clock_timestamp())
),
o as (
    insert into otp (id, phone_index, phone, purpose, code_hash, ip, tries, expires_at)
    select gen_random_uuid(), 'x', 'x', 'sign-in', 'x', '', 0, clock_timestamp() - days * interval '1 day'
    from unnest(array[0, 2]) as days
)
insert into otp_phone (phone_index, sends)
values ('old', array[clock_timestamp() - interval '2 days']), ('new', array[clock_timestamp()])
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool over the test's database."""
    database = Database(database_url, size=2, application="tests")
    await database.start()
    yield database
    await database.stop()


async def counts(conn: Any) -> dict[str, int]:
    tables = ("session", "refresh_token", "demo_link_used", "otp", "otp_phone")
    return {table: await conn.fetchval(f"select count(*) from {table}") for table in tables}


async def test_what_is_over_goes_and_nothing_else(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute(FILL)
        assert await counts(conn) == {
            "session": 3, "refresh_token": 3, "demo_link_used": 2, "otp": 2, "otp_phone": 2,
        }  # fmt: skip
        await forget_sign_ins(database)
        assert await counts(conn) == {
            "session": 2, "refresh_token": 1, "demo_link_used": 1, "otp": 1, "otp_phone": 1,
        }  # fmt: skip
        assert await conn.fetchval("select event from audit_event where event = 'session.deleted'") is not None


async def test_the_session_of_a_key_stays_with_its_key(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute(FILL)
        oldest = await conn.fetchrow("select id, person_id from session order by expires_at limit 1")
        await conn.execute(
            "insert into api_key (person_id, session_id, name, hash, hint, author_id, expires_at)"
            " values ($1, $2, 'K', 'k', 'hpk_', $1, clock_timestamp())",
            oldest["person_id"],
            oldest["id"],
        )
        await forget_sign_ins(database)
        assert await conn.fetchval("select count(*) from session where id = $1", oldest["id"]) == 1
