"""Every oracle of the fault tests finds the fault that is planted for it, and nothing where none is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.statement import Connection
from hub.client.live import Live, Watchers
from tests.faults.oracles import Journal, wrong_in_fold, wrong_in_journal, wrong_in_log
from tests.faults.proxy import proxy
from tests.town import PATIENCE_SECONDS, Town, access_token, found, sequenced, sequencing, serving

RENAME = "update item set name = 'new ' || name where id = $1"
PLANTED_IN_LOG = {
    "a change is lost": "delete from change_log where pos = (select max(pos) - 1 from change_log)",
    "a change stands twice": """
        insert into change_log (pos, day, audit_id, offsets)
            select (select max(pos) + 1 from change_log), day, audit_id, offsets from change_log
            order by pos desc limit 1""",
    "two changes are swapped": """
        with two as (select entity_id, array_agg(audit_id order by version) as ids from change
            where entity = 'item' and version in (2, 3) group by entity_id having max(version) = 3 limit 1)
        update change_log c set audit_id = case c.audit_id when two.ids[1] then two.ids[2] else two.ids[1] end
            from two where c.audit_id = any(two.ids)""",
    "an offset is left out": """
        update topic_log set topic_offset = topic_offset + 1
        where (topic, topic_offset) in (select topic, max(topic_offset) from topic_log group by topic)""",
    "what was rolled back is told": """
        with told as (insert into audit_event (entity, entity_id, version, event, actor, row)
            select entity, entity_id, version, event, actor, '{"name": "this was rolled back"}' from audit_event
            where id = (select audit_id from change_log where pos = 5) returning id)
        update change_log set audit_id = told.id from told where pos = 5""",
}  # fmt: skip


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    yield connection
    await connection.close()


@pytest.fixture
async def town(conn: Connection) -> Town:
    return await found(conn)


@pytest.mark.parametrize("fault", ["nothing", "drop", "swap", "duplicate", "stale", "leak"])
async def test_a_fault_between_hub_and_client_is_found(
    database_url: str, redis_url: str, conn: Connection, town: Town, fault: str
):
    topic, journal = f"kitchen:{town.kitchen_id}", Journal()
    auth = {"token": access_token(town.manager_id)}
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        async with (
            serving(database_url, redis_url) as hub_url,
            proxy(hub_url, fault) as url,
            Live(url, lambda: auth, watchers=Watchers(on_change=journal.keep)) as live,
        ):
            fold = await live.subscribe(topic)
            start = fold.offset
            for item_id in town.item_ids:
                await conn.execute(RENAME, item_id)
            await live.until(lambda: fold.offset == start + 6 and not fold.has_gap, timeout_seconds=PATIENCE_SECONDS)
            if fault == "leak":
                await conn.execute("delete from role_grant where id = $1", town.manager_grant_id)
                await live.until(lambda: fold.tally.after_revocation, timeout_seconds=PATIENCE_SECONDS)
            wrong = await wrong_in_fold(conn, fold)
            assert await wrong_in_journal(conn, journal) == []
            assert await wrong_in_log(conn) == []
    assert (wrong == []) == (fault == "nothing")


@pytest.mark.parametrize("fault", PLANTED_IN_LOG)
async def test_a_fault_in_the_log_is_found(database_url: str, redis_url: str, conn: Connection, town: Town, fault: str):
    async with sequencing(database_url, redis_url):
        for _ in range(2):
            await conn.execute(RENAME, town.item_ids[0])
        await sequenced(conn)
    assert await wrong_in_log(conn) == []
    await conn.execute(PLANTED_IN_LOG[fault])
    assert await wrong_in_log(conn) != []


async def test_an_acknowledged_write_that_is_gone_is_found(
    database_url: str, redis_url: str, conn: Connection, town: Town
):
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
    assert await wrong_in_log(conn, [("item", town.item_ids[0], 1)]) == []
    assert await wrong_in_log(conn, [("item", town.item_ids[0], 2)]) != []
