"""Runs the migrations over one direct connection; the DSN comes from `db.migrate`, never from the environment."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

LOCK_TIMEOUT_MILLISECONDS = 5_000
MIGRATING = 7_700  # advisory lock: two starters migrate one after the other


def _run(connection: Connection) -> None:
    connection.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}"))
    connection.execute(text(f"select pg_advisory_lock({MIGRATING})"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


async def _online() -> None:
    engine = create_async_engine(context.config.attributes["dsn"], poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


asyncio.run(_online())
