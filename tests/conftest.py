"""One real Postgres and one real Valkey per run; each test gets a database and a stream store of its own.

engines               the pair, for the whole run (session)
new_database          makes a further migrated, empty database and answers its DSN (session)
database_url          a database for one test
module_database_url   a database that the tests of one module share
redis_url             an empty logical database for one test (channels of pub/sub are shared by all)
made_directory        a data directory with its engines stopped, for one test
own_engines           a pair for one test that kills engines: never kill the shared one
town_url              a hub over the module's database, with its sequencer
conn                  a connection past the API to the module's database
cast                  a town of the module's, and its people at that hub's door
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from redis.asyncio import Redis

from db.migrate import migrate
from hub.embedded.engines import Engines, start_engines
from hub.embedded.valkey import DATABASES
from tests.course import Cast, cast_of
from tests.town import found, sequencing, serving

TEMPLATE = "template_migrated"
numbers = itertools.count(1)


async def administrate(engines: Engines, statement: str) -> None:
    """Run one statement that cannot stand in a transaction."""
    connection = await asyncpg.connect(engines.database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """The pair of this run, on free ports, gone with it."""
    pair = start_engines(tmp_path_factory.mktemp("engines"))
    yield pair
    pair.stop()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose engines are stopped: copying it is quicker than making one."""
    directory = tmp_path_factory.mktemp("made")
    start_engines(directory).stop()
    return directory


@pytest.fixture
def made_directory(made_once: Path, tmp_path: Path) -> Path:
    """A data directory of one test's own, made before, its engines stopped."""
    return shutil.copytree(made_once, tmp_path / "engines")


@pytest.fixture
def own_engines(made_directory: Path) -> Iterator[Engines]:
    """A pair of one test's own, with an empty database that is not migrated."""
    pair = start_engines(made_directory)
    yield pair
    pair.stop()


@pytest.fixture(scope="session")
async def new_database(engines: Engines) -> Callable[[], Awaitable[str]]:
    """Clones the migrated template, 30 ms each."""
    await administrate(engines, f"create database {TEMPLATE}")
    await asyncio.to_thread(migrate, engines.database_url_of(TEMPLATE))

    async def make() -> str:
        name = f"test_{next(numbers)}"
        await administrate(engines, f"create database {name} template {TEMPLATE}")
        return engines.database_url_of(name)

    return make


@pytest.fixture
async def database_url(new_database: Callable[[], Awaitable[str]]) -> str:
    """The DSN of a migrated, empty database for one test."""
    return await new_database()


@pytest.fixture(scope="module")
async def module_database_url(new_database: Callable[[], Awaitable[str]]) -> str:
    """The DSN of a migrated, empty database for the tests of one module."""
    return await new_database()


@pytest.fixture
async def redis_url(engines: Engines) -> str:
    """The URL of an empty logical database for one test."""
    url = engines.redis_url_of(next(numbers) % (DATABASES - 1) + 1)
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    return url


@pytest.fixture(scope="module")
async def town_url(engines: Engines, module_database_url: str) -> AsyncIterator[str]:
    """The URL of a hub over the module's database; its sequencer leads beside it."""
    redis_url = engines.redis_url_of(next(numbers) % (DATABASES - 1) + 1)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with sequencing(module_database_url, redis_url), serving(module_database_url, redis_url) as url:
        yield url


@pytest.fixture(scope="module")
async def conn(module_database_url: str) -> AsyncIterator[Any]:
    """A connection past the API."""
    connection = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def cast(conn: Any, town_url: str) -> AsyncIterator[Cast]:
    """A town and its people."""
    async with aiohttp.ClientSession(town_url) as session:
        yield await cast_of(conn, session, await found(conn))
