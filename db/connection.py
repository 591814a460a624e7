"""The pool and its transactions: `databases` owns the connections, statements run on the raw asyncpg one below it.

A process makes one `Database` and hands it on. All times are UTC and JSON comes as text, whoever asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import databases
from asyncpg.exceptions import InternalClientError

from db.statement import Connection

# jit costs more than it gives on statements of a few milliseconds.
SESSION = {"timezone": "UTC", "jit": "off"}
COMMAND_TIMEOUT_SECONDS = 15.0

# What a lost or failing server raises; asyncpg's InternalClientError is in neither of its two families.
DATABASE_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    InternalClientError,
    TimeoutError,
)


class Database:
    """A pool of Postgres connections. `url` is a plain `postgresql://` DSN; the server knows us as `application`."""

    def __init__(self, url: str, *, size: int, application: str) -> None:
        self._pool = databases.Database(
            url,
            min_size=1,
            max_size=size,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            server_settings=SESSION | {"application_name": application},
            reset=_give_back,
        )

    async def start(self) -> None:
        """Open the pool. Raises one of `DATABASE_AWAY` when the server does not answer."""
        await self._pool.connect()

    async def stop(self) -> None:
        """Close every connection."""
        await self._pool.disconnect()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A raw connection in autocommit: each statement is its own transaction."""
        async with self._pool.connection() as connection:
            yield cast("Connection", connection.raw_connection)

    @asynccontextmanager
    async def transaction(self, isolation: str | None = None, *, read_only: bool = False) -> AsyncIterator[Connection]:
        """A raw connection inside one transaction; commits at the end, rolls back on any exception."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation=cast("Any", isolation), readonly=read_only),
        ):
            yield connection


async def _give_back(connection: Connection) -> None:
    """No statement of the house leaves anything in its session, so a second round trip that cleans it is saved."""
    if connection.is_in_transaction():
        await connection.reset()


async def connect(url: str, *, application: str, **session: str) -> Connection:
    """One direct connection outside any pool: for locks, the sequencer, migrations. `session` adds server settings."""
    settings = SESSION | {"application_name": application} | session
    return await asyncpg.connect(url, server_settings=settings, command_timeout=COMMAND_TIMEOUT_SECONDS)
