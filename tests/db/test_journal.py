"""The step to one journal keeps the whole history: what was sequenced stays where it was, what waited still waits."""

from __future__ import annotations

import asyncio

import asyncpg

from db.invariants import verify
from db.migrate import migrate
from hub.embedded.engines import Engines
from tests.conftest import administrate
from tests.town import sequenced, sequencing

DATABASE = "one_journal"
KITCHEN = """
insert into kitchen (id, region, code, name, lat, lon, time_zone, currency, capacity_orders, accept_seconds,
    auto_accept)
values (md5('k')::uuid, 'town', 'K', 'first', 1, 1, 'UTC', 'EUR', 9, 60, false)
"""
RENAME = "update kitchen set name = $1 where id = md5('k')::uuid"
MOVE = "update kitchen set region = 'village' where id = md5('k')::uuid"
# What the sequencer of that schema wrote for the outbox as it stands.
SEQUENCE = """
with numbered as (select o.*, row_number() over (order by id) as pos from outbox o),
places as (
    select n.*, t.topic, t.op, row_number() over (partition by t.topic order by n.pos) as topic_offset
    from numbered n, lateral (select topic, 'put' as op from unnest(n.topics) as topic
        union all select topic, 'out' from unnest(n.gone) as topic) as t
),
logged as (
    insert into change_log (pos, day, entity, entity_id, version, event, row, at, topics, offsets, ops)
    select pos, (clock_timestamp() at time zone 'utc')::date, entity, entity_id, version, event, row, at,
        array_agg(topic order by op desc, topic), array_agg(topic_offset order by op desc, topic),
        array_agg(op order by op desc, topic)
    from places group by pos, entity, entity_id, version, event, row, at
),
placed as (
    insert into sequencer_place (number, term, pos, snapshot, after_id)
    select 1, 0, max(pos), pg_current_snapshot()::text, 0 from numbered
)
insert into topic_log (topic, topic_offset, pos, op, day)
select topic, topic_offset, pos, op, (clock_timestamp() at time zone 'utc')::date from places
"""
LOG = """
select pos, entity, entity_id, version, event, row,
    (select array_agg((topic, topic_offset, op) order by topic)
        from unnest(topics, offsets, ops) as u (topic, topic_offset, op)) as places from {} order by pos
"""


async def test_the_step_keeps_the_log_and_what_waits_for_it(engines: Engines, redis_url: str) -> None:
    await administrate(engines, f"create database {DATABASE}")
    url = engines.database_url.rpartition("/")[0] + f"/{DATABASE}"
    await asyncio.to_thread(migrate, url, revision="0008")
    conn = await asyncpg.connect(url)
    await conn.execute(KITCHEN)
    await conn.execute(RENAME, "second")
    await conn.execute(MOVE)
    await conn.execute(SEQUENCE)
    before = await conn.fetch(LOG.format("change_log"))
    await conn.execute(RENAME, "waits for its place")
    await conn.close()

    await asyncio.to_thread(migrate, url)
    conn = await asyncpg.connect(url)
    assert await conn.fetch(LOG.format("change")) == before
    assert [len(row["places"]) for row in before] == [3, 3, 4]
    async with sequencing(url, redis_url):
        await sequenced(conn)
    after = await conn.fetch(LOG.format("change"))
    await conn.close()
    assert after[:3] == before
    assert [(row["pos"], row["version"]) for row in after] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert {name: one["places"] for name, one in (await verify(url)).items() if not one["holds"]} == {}
    await administrate(engines, f"drop database {DATABASE} with (force)")
