"""The engines of the embedded profile: loopback, passwords, rows that survive, nothing left behind."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError

from db.migrate import newest_revision, present_revision
from hub.embedded.engines import Engines, start_engines
from hub.embedded.errors import DirectoryInUse, PortBusy
from hub.embedded.ports import LOOPBACK

FOREVER = """
import sys, threading
from pathlib import Path
from hub.embedded.engines import start_engines
engines = start_engines(Path(sys.argv[1]))
print(engines.postgres.process_id, engines.redis.process_id, engines.postgres_port, flush=True)
threading.Event().wait()
"""


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def family(process_id: int) -> list[psutil.Process]:
    process = psutil.Process(process_id)
    return [process, *process.children(recursive=True)]


async def test_a_database_of_a_test_has_the_newest_schema(database_url: str) -> None:
    assert await present_revision(database_url) == newest_revision()


async def test_two_tests_share_no_rows(redis_url: str, engines: Engines) -> None:
    async with Redis.from_url(redis_url) as redis, Redis.from_url(engines.redis_url) as other:
        await redis.set("word", "mine")
        assert await other.get("word") is None


async def test_postgres_keeps_commits_and_speaks_utc(engines: Engines) -> None:
    assert await fetch(engines.database_url, "select current_setting('fsync')") == "on"
    assert await fetch(engines.database_url, "select current_setting('synchronous_commit')") == "on"
    assert await fetch(engines.database_url, "select current_setting('timezone')") == "UTC"


async def test_postgres_refuses_a_wrong_password(engines: Engines) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(engines.database_url, password="guess")


async def test_valkey_refuses_a_wrong_password(engines: Engines) -> None:
    async with Redis(host=LOOPBACK, port=engines.redis_port, password="guess", retry=Retry(NoBackoff(), 0)) as redis:
        with pytest.raises(AuthenticationError):
            await redis.ping()


def test_engines_listen_on_loopback_only(engines: Engines) -> None:
    for engine in (engines.postgres, engines.redis):
        assert engine.process_id is not None
        listening = [row for row in psutil.Process(engine.process_id).net_connections() if row.status == "LISTEN"]
        assert [row.laddr.ip for row in listening] == [LOOPBACK]


def test_secrets_are_readable_by_their_owner_alone(engines: Engines) -> None:
    for name in ("credentials.json", "postgres.log", "valkey.log", "lock"):
        assert stat.S_IMODE((engines.directory / name).stat().st_mode) == 0o600, name


def test_no_password_stands_in_an_argument_list(engines: Engines) -> None:
    for engine, password in (
        (engines.postgres, engines.credentials.database_password),
        (engines.redis, engines.credentials.redis_password),
    ):
        assert engine.process_id is not None
        assert password not in " ".join(psutil.Process(engine.process_id).cmdline())


async def test_rows_survive_kill_9_and_the_port_stays(own_engines: Engines) -> None:
    await fetch(own_engines.database_url, "create table kept as select generate_series(1, 1000) as n")
    await own_engines.postgres.restart_async()
    assert await fetch(own_engines.database_url, "select count(*) from kept") == 1000


async def test_valkey_restarts_empty_on_its_port(own_engines: Engines) -> None:
    async with Redis.from_url(own_engines.redis_url) as redis:
        await redis.set("word", "gone")
    await own_engines.redis.restart_async()
    async with Redis.from_url(own_engines.redis_url) as redis:
        assert await redis.get("word") is None


async def test_kill_9_of_the_owner_leaves_no_process_and_the_data_usable(made_directory: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", FOREVER, str(made_directory)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        postgres_id, valkey_id, _port = map(int, owner.stdout.readline().split())
    left = [*family(postgres_id), *family(valkey_id)]
    owner.kill()
    owner.wait()
    pair = start_engines(made_directory)  # at once, while the old ones still die
    try:
        _, alive = psutil.wait_procs([process for process in left if process.is_running()], timeout=30)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
        assert await fetch(pair.database_url, "select 1") == 1
    finally:
        pair.stop()


async def test_data_and_passwords_outlive_an_orderly_stop(made_directory: Path) -> None:
    first = start_engines(made_directory)
    await fetch(first.database_url, "create table kept as select 7 as n")
    first.stop()
    second = start_engines(made_directory)
    try:
        assert second.credentials == first.credentials
        assert await fetch(second.database_url, "select n from kept") == 7
    finally:
        second.stop()


def test_a_pid_file_that_names_a_living_stranger_hinders_nobody(made_directory: Path) -> None:
    start_engines(made_directory).stop()
    (made_directory / "postgres" / "postmaster.pid").write_text(f"{psutil.Process().pid}\n")
    start_engines(made_directory).stop()


def test_a_busy_port_is_named_with_what_to_do(made_directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortBusy, match=rf"Port {port} for Postgres is already in use .* give another port"):
            start_engines(made_directory, postgres_port=port)
    start_engines(made_directory).stop()  # the failed start let the directory go


def test_two_owners_never_share_a_directory(own_engines: Engines) -> None:
    with pytest.raises(DirectoryInUse, match=r"belongs to a running Hotpass .* give another directory with --data"):
        start_engines(own_engines.directory)
