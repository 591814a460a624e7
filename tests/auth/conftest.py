"""A doorkeeper over a database of one's own, and people to sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from db.connection import Database
from db.context import context
from db.people import ADD_GRANT, ADD_PERSON
from hub.auth.sessions import Doorkeeper
from hub.gateway.tokens import make_key_ring

SECRET = "a secret of the tests, long enough for a key"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool over the test's database."""
    database = Database(database_url, size=10, application="tests")
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
def keeper(database: Database) -> Doorkeeper:
    """Everything that signing in needs."""
    return Doorkeeper(database=database, ring=make_key_ring(SECRET), access_seconds=600)


@pytest.fixture
def new_person(database: Database) -> Callable[..., Awaitable[str]]:
    """Adds a person, with a grant where a role is given; answers the id."""

    async def add(name: str = "Asha", *, role: str | None = None, scope: str = "own") -> str:
        said = context(actor="tests")
        async with database.connection() as conn:
            person_id = str(await ADD_PERSON.value(conn, name=name, locale="en", context=said))
            if role is not None:
                await ADD_GRANT.value(conn, person_id=person_id, role=role, scope=scope, context=said)
        return person_id

    return add
