"""What is committed gets exactly one place, whatever writers, sequencers and days do."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from db import pipeline
from db.invariants import verify
from db.statement import Connection, Record
from db.upkeep import drop_day
from hub.embedded.lifeline import spawn
from hub.realtime import sequencer
from hub.realtime.changes import STREAM
from tests.town import ITEMS, Town, found, sequenced, sequencing, until

RENAME = "update item set name = $2 where id = $1"
LOGGED = "select row::json ->> 'name' from change where entity = 'item' and entity_id = any($1) order by pos"
HEAD = "select topic_offset from topic_log where topic = $1 order by topic_offset desc limit 1"
NEWER_LEADER = "select term, holder from sequencer_term where term > $1 order by term desc limit 1"
TERM = "select coalesce(max(term), 0) from sequencer_term"
EPOCH = "select epoch from sequencer_term order by term desc limit 1"
STANDING_BY = """
select count(*) = 4 from pg_stat_activity where application_name like 'hotpass sequencer%'
    and datname = current_database()
"""


@pytest.fixture(scope="module")
def database_url(module_database_url: str) -> str:
    """One database for all: each test has a town of its own, and what holds over the whole database holds for all."""
    return module_database_url


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def town(conn: Connection) -> Town:
    return await found(conn)


async def names(conn: Connection, town: Town) -> list[str]:
    return [row[0] for row in await conn.fetch(LOGGED, town.item_ids)]


async def assert_well(database_url: str) -> None:
    found = await verify(database_url)
    assert {name: row["places"] for name, row in found.items() if not row["holds"]} == {}


async def test_a_writer_that_commits_late_is_not_skipped(
    database_url: str, redis_url: str, conn: Connection, other: Connection, town: Town
):
    async with sequencing(database_url, redis_url):
        late = conn.transaction()
        await late.start()
        await conn.execute(RENAME, town.item_ids[0], "late")  # draws the lower id
        await other.execute(RENAME, town.item_ids[1], "early")
        await sequenced(other)  # an open transaction delays nobody
        assert (await names(other, town))[-1] == "early"
        await late.commit()
        await sequenced(conn)
    assert (await names(conn, town))[-2:] == ["early", "late"]
    await assert_well(database_url)


async def test_what_was_rolled_back_never_appears(database_url: str, redis_url: str, conn: Connection, town: Town):
    async with sequencing(database_url, redis_url):
        undone = conn.transaction()
        await undone.start()
        await conn.execute(RENAME, town.item_ids[0], "undone")
        await undone.rollback()
        async with conn.transaction():
            await conn.execute(RENAME, town.item_ids[0], "kept")
            inner = conn.transaction()
            await inner.start()
            await conn.execute(RENAME, town.item_ids[0], "undone inside")
            await inner.rollback()
            async with conn.transaction():
                await conn.execute(RENAME, town.item_ids[0], "kept inside")
        await sequenced(conn)
    assert [name for name in await names(conn, town) if not name.startswith("Dish")] == ["kept", "kept inside"]
    await assert_well(database_url)


async def test_an_unrelated_open_transaction_delays_nothing(
    database_url: str, redis_url: str, conn: Connection, other: Connection, town: Town
):
    open_for_long = other.transaction()
    await open_for_long.start()
    await other.execute("select pg_current_xact_id()")
    async with sequencing(database_url, redis_url):
        for number in range(20):
            await conn.execute(RENAME, town.item_ids[0], f"name {number}")
            await sequenced(conn)
    assert (await names(conn, town))[-20:] == [f"name {number}" for number in range(20)]
    await open_for_long.rollback()


@pytest.mark.parametrize("rows", [499, 500, 501, 1_500])
async def test_a_transaction_of_any_size_fits_its_windows(
    database_url: str, redis_url: str, conn: Connection, town: Town, rows: int
):
    assert sequencer.MOST_ROWS == 500
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        before = (await pipeline.PLACE.only(conn))["pos"]
        await conn.execute(ITEMS, town.kitchen_id, town.brand_id, town.station_id, rows, "Many ")
        await sequenced(conn)
        after = await pipeline.PLACE.only(conn)
    assert after["pos"] - before == rows
    assert await conn.fetchval("select count(distinct pos) from change_log where pos > $1", before) == rows
    await assert_well(database_url)


async def test_how_long_a_change_waited_for_its_place_is_measured(
    database_url: str, redis_url: str, conn: Connection, town: Town
):
    def measured() -> float:
        return REGISTRY.get_sample_value("hotpass_commit_to_sequence_seconds_count") or 0.0

    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        before = measured()
        await conn.execute(RENAME, town.item_ids[0], "measured")
        await sequenced(conn)
        assert measured() == before + 1


async def write_messily(database_url: str, town: Town, seed: int, *, rounds: int) -> None:
    """Transactions of several rows that interleave, roll back, and use savepoints."""
    chance = random.Random(seed)
    conn = await asyncpg.connect(database_url)
    try:
        for number in range(rounds):
            transaction = conn.transaction()
            await transaction.start()
            for item_id in sorted(chance.sample(town.item_ids, chance.randint(1, 4))):
                await conn.execute(RENAME, item_id, f"writer {seed} round {number}")
                for _ in range(chance.randint(0, 3)):
                    await asyncio.sleep(0)
            if chance.random() < 0.2:
                await transaction.rollback()
            else:
                await transaction.commit()
    finally:
        await conn.close()


async def test_small_windows_over_busy_writers_lose_nothing(
    database_url: str, redis_url: str, conn: Connection, town: Town, monkeypatch: pytest.MonkeyPatch
):
    # Windows of three rows: nearly every batch ends inside somebody's transaction.
    monkeypatch.setattr(sequencer, "MOST_ROWS", 3)
    async with sequencing(database_url, redis_url):
        await asyncio.gather(*(write_messily(database_url, town, seed, rounds=25) for seed in range(6)))
        await sequenced(conn)
    await assert_well(database_url)


async def test_two_sequencers_of_which_the_leader_is_cut_again_and_again(
    database_url: str, redis_url: str, conn: Connection, town: Town
):
    async with sequencing(database_url, redis_url), sequencing(database_url, redis_url):
        term = await conn.fetchval(TERM)
        for number in range(5):
            term, holder = await until(partial(conn.fetchrow, NEWER_LEADER, term))
            writing = [asyncio.create_task(write_messily(database_url, town, seed, rounds=8)) for seed in range(3)]
            await conn.execute("select pg_terminate_backend($1)", holder)
            await asyncio.gather(*writing)
            await conn.execute(RENAME, town.item_ids[0], f"after cut {number}")
            await sequenced(conn)
        assert (await names(conn, town))[-1] == "after cut 4"
    await assert_well(database_url)


async def test_a_stopped_leader_is_deposed_and_stays_fenced(
    database_url: str, redis_url: str, conn: Connection, town: Town, tmp_path: Path
):
    environment = {"HOTPASS_DATABASE_URL": database_url, "HOTPASS_REDIS_URL": redis_url, "HOTPASS_SECRET_KEY": "s" * 32}
    command = [sys.executable, "-P", "-m", "hub.cli", "serve", "sequencer"]
    before = await conn.fetchval(TERM)
    leader = spawn(command, log=tmp_path / "leader.log", environment=environment)
    try:
        await until(lambda: conn.fetchval("select term > $1 from sequencer_heartbeat", before))
        os.kill(leader.pid, signal.SIGSTOP)
        async with sequencing(database_url, redis_url):
            await until(lambda: conn.fetchval(f"select max(term) = {before + 2} from sequencer_term"))
            await conn.execute(RENAME, town.item_ids[0], "while it is stopped")
            await sequenced(conn)
            assert (await names(conn, town))[-1] == "while it is stopped"
            os.kill(leader.pid, signal.SIGCONT)
            await write_messily(database_url, town, 1, rounds=20)
            await sequenced(conn)
            # It stands by again: its new session waits beside the leader's, and no further term was begun.
            await until(lambda: conn.fetchval(STANDING_BY))
            assert await conn.fetchval(TERM) == before + 2
    finally:
        leader.kill()
        leader.wait()
    await assert_well(database_url)


def nothing_at(place: Record) -> dict[str, object]:
    """The parameters of an append that only moves the place."""
    lists = "audit_ids offsets log_topics log_offsets log_audit_ids log_ops"
    moved = {"number": place["number"] + 1, "pos": place["pos"], "snapshot": place["snapshot"], "target": None}
    unseen = pipeline.unseen_by(place["snapshot"])
    return {**dict.fromkeys(lists.split(), ""), "first": 0, **moved, **unseen, "after_id": 0, "most": 1}


async def test_an_older_term_appends_nothing_and_a_place_is_taken_once(conn: Connection):
    first = await pipeline.LEAD.only(conn, epoch=0)
    second = await pipeline.LEAD.only(conn, epoch=0)
    place = await pipeline.PLACE.only(conn)
    assert await pipeline.APPEND.value(conn, term=first["term"], **nothing_at(place)) is None
    assert await pipeline.PLACE.only(conn) == place
    assert await pipeline.APPEND.value(conn, term=second["term"], **nothing_at(place)) == place["number"] + 1
    with pytest.raises(asyncpg.UniqueViolationError):
        await pipeline.APPEND.value(conn, term=second["term"], **nothing_at(place))


async def test_a_new_leader_is_not_deposed_for_the_silence_of_the_old_one(conn: Connection, other: Connection):
    await conn.execute("update sequencer_heartbeat set at = clock_timestamp() - interval '1 hour'")
    assert await pipeline.TRY_LOCK.value(conn, lock=sequencer.LOCK)
    assert not await pipeline.TRY_LOCK.value(other, lock=sequencer.LOCK)
    assert await pipeline.DEPOSE.rows(other, lock=sequencer.LOCK) == []


async def test_a_dropped_day_leaves_its_heads_behind(database_url: str, redis_url: str, conn: Connection, town: Town):
    topic = f"kitchen:{town.kitchen_id}"
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        head = await conn.fetchval(HEAD, topic)
    today = await conn.fetchval("select to_char(clock_timestamp() at time zone 'utc', 'YYYYMMDD')")
    await drop_day(conn, today)
    assert await conn.fetchval(HEAD, topic) is None
    assert (await pipeline.TOPIC_SPAN.only(conn, topic=topic))["head"] == head
    async with sequencing(database_url, redis_url):
        await conn.execute(RENAME, town.item_ids[0], "the next day")
        await sequenced(conn)
        assert await conn.fetchval(HEAD, topic) == head + 1


async def test_a_day_that_has_no_place_yet_is_made(database_url: str, redis_url: str, conn: Connection, town: Town):
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        today = await conn.fetchval("select to_char(clock_timestamp() at time zone 'utc', 'YYYYMMDD')")
        await drop_day(conn, today)  # under a running leader, which ensured it long ago
        await conn.execute(RENAME, town.item_ids[0], "on a new day")
        await sequenced(conn)
    assert await names(conn, town) == ["on a new day"]  # the day that was dropped took the rest along


async def test_what_is_no_day_is_not_dropped(conn: Connection):
    with pytest.raises(ValueError, match="not a day"):
        await drop_day(conn, "20260101; --")


async def test_the_epoch_outlives_a_leader_but_not_its_cluster(
    database_url: str, redis_url: str, conn: Connection, town: Town
):
    epochs = []
    for _ in range(2):
        term = await conn.fetchval(TERM)
        async with sequencing(database_url, redis_url):
            await until(partial(conn.fetchrow, NEWER_LEADER, term))
            epochs.append(await conn.fetchval(EPOCH))
    assert epochs[0] == epochs[1]
    await conn.execute("update sequencer_term set system = 'another cluster'")
    async with sequencing(database_url, redis_url):
        await until(lambda: conn.fetchval(f"select max(epoch) = {epochs[1] + 1} from sequencer_term"))


async def test_a_stream_that_knows_the_future_ends_the_epoch(
    database_url: str, redis_url: str, conn: Connection, town: Town
):
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
    future = await conn.fetchval(EPOCH) + 4
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
        await redis.execute_command("XADD", STREAM, f"{future}-1000000", "f", "1", "b", b"[]")
        async with sequencing(database_url, redis_url):
            await until(lambda: conn.fetchval(f"select max(epoch) = {future + 1} from sequencer_term"))
            await conn.execute(RENAME, town.item_ids[0], "in the new epoch")
            await sequenced(conn)

            async def is_published() -> bool:
                return (await redis.execute_command("XREVRANGE", STREAM, "+", "-", "COUNT", 1))[0][0].startswith(
                    b"%d-" % (future + 1)
                )

            await until(is_published)
