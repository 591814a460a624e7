"""One leader at a time by an advisory lock that lives and dies with a session: tried, never waited for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from db.connection import connect
from db.statement import Connection, Statement

TRY = Statement(text("select pg_try_advisory_lock(cast(:space as integer), hashtext(cast(:name as text)))"))
SPACE = 7_703  # apart from the locks of the sequencer and the migrations


@asynccontextmanager
async def leadership(url: str, name: str) -> AsyncIterator[Connection | None]:
    """A direct connection that holds the lock `name`, or None when another process leads. Ends with the connection."""
    connection = await connect(url, application=f"hotpass {name}")
    try:
        is_leader = await TRY.value(connection, space=SPACE, name=name)
        yield connection if is_leader else None
    finally:
        connection.terminate()
