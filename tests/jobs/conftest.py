"""A pool over one test's own database, and a town in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from db.connection import Database
from tests.town import Town, found


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a job works on, and a connection to look at what it did."""

    database: Database
    conn: Any
    town: Town
    url: str


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """A fresh desk."""
    database = Database(database_url, size=4, application="tests")
    await database.start()
    conn = await asyncpg.connect(database_url)
    yield Desk(database=database, conn=conn, town=await found(conn), url=database_url)
    await conn.close()
    await database.stop()
