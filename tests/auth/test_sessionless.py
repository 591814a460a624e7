"""A token is as good as its session: well signed and without a live one it is refused, over HTTP and on sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import asyncpg
import pytest

from db.connection import Database
from db.people import AUTHORITY
from hub.client.errors import ConnectRefused
from hub.client.socket import open_socket
from hub.domain.errors import Unauthenticated
from hub.gateway.authority import FRESH_SECONDS, Authority
from hub.gateway.tokens import make_key_ring
from tests.auth.conftest import SECRET
from tests.gateway.forged import Forger
from tests.signing import session_of

NewPerson = Callable[..., Awaitable[str]]
SESSION = """
insert into session (person_id, kind, expires_at) values ($1, 'minted', clock_timestamp() + $2 * interval '1 hour')
returning id::text
"""
REFUSALS = {"auth.revoked", "auth.session_unknown", "auth.invalid"}


@pytest.fixture
def database(hub_database: Database) -> Database:
    """People are added to the hub's own database."""
    return hub_database


@pytest.fixture
async def forger(database: Database, new_person: NewPerson) -> Forger:
    """Holds the good token of a signed-in administrator."""
    person_id = await new_person(role="administrator", scope="*")
    return Forger(make_key_ring(SECRET), SECRET, person_id=person_id, session_id=session_of(person_id))


@pytest.fixture
async def ended(database: Database, forger: Forger, new_person: NewPerson) -> dict[str, str]:
    """Sessions that do not sign the administrator in, by what became of them."""
    async with database.connection() as conn:
        revoked = await conn.fetchval(SESSION, forger.person_id, 1)
        await conn.execute("update session set state = 'revoked', reason = 'test' where id = $1", revoked)
        expired = await conn.fetchval(SESSION, forger.person_id, -1)
        forgotten = await conn.fetchval(SESSION, forger.person_id, 1)
        await conn.execute("delete from session where id = $1", forgotten)
    others = session_of(await new_person("Ravi"))
    return {"revoked": revoked, "expired": expired, "forgotten": forgotten, "another person's": others}


async def test_no_token_without_a_live_session_is_accepted_over_http(
    api: aiohttp.ClientSession, forger: Forger, ended: dict[str, str]
) -> None:
    said: dict[str, tuple[int, str]] = {}
    for trick, token in forger.sessionless(ended):
        async with api.get("/v1/me", headers={"Authorization": f"Bearer {token}"}) as answer:
            said[trick] = answer.status, (await answer.json()).get("code", "")
    assert {trick: one for trick, one in said.items() if one[0] != 401 or one[1] not in REFUSALS} == {}
    assert said["session: unknown 0"][1] == said["session: another person's"][1] == "auth.session_unknown"
    assert said["session: revoked"][1] == said["session: expired"][1] == "auth.revoked"
    async with api.get("/v1/me", headers={"Authorization": f"Bearer {forger.good}"}) as answer:
        assert answer.status == 200


async def test_no_token_without_a_live_session_opens_a_socket(
    hub_url: str, forger: Forger, ended: dict[str, str]
) -> None:
    said = {trick: await knock(hub_url, token) for trick, token in forger.sessionless(ended)}
    assert {trick: code for trick, code in said.items() if code not in REFUSALS} == {}
    assert await knock(hub_url, forger.good) == "let in"


async def knock(hub_url: str, token: str) -> str:
    """What a socket is told that comes with a token."""
    try:
        socket = await open_socket(hub_url, {"token": token}, on_event=lambda *_: None, on_lost=lambda _: None)
    except ConnectRefused as refused:
        return refused.code
    socket.abort()
    return "let in"


class Counted:
    """An authority, and how many statements it has cost."""

    def __init__(self, database: Database) -> None:
        self.authority = Authority(database)
        self.statements = 0

    def count(self, record: Any) -> None:
        """The driver looks up types of its own at first."""
        self.statements += record.query == AUTHORITY.sql


@pytest.fixture
async def counted(module_database_url: str) -> AsyncIterator[Counted]:
    """Over a pool of one connection, whose statements are counted."""
    database = Database(module_database_url, size=1, application="tests")
    await database.start()
    counted = Counted(database)
    async with database.connection() as conn:
        conn.add_query_logger(counted.count)
    yield counted
    async with database.connection() as conn:
        conn.remove_query_logger(counted.count)
    await database.stop()


async def test_a_person_with_many_tabs_costs_one_statement_per_life_of_the_cache(
    counted: Counted, database: Database, new_person: NewPerson
) -> None:
    person_id = await new_person(role="customer")
    async with database.connection() as conn:
        sessions = [session_of(person_id), *[await conn.fetchval(SESSION, person_id, 1) for _ in range(4)]]
    for session_id in sessions:  # each is met
        await counted.authority.principal(person_id, session_id, None)
    met = counted.statements
    known = counted.authority._known[person_id]
    counted.authority._known[person_id] = type(known)(
        read_at=known.read_at - FRESH_SECONDS, name=known.name, grants=known.grants, sessions=known.sessions
    )
    for _ in range(100):
        for session_id in sessions:
            await counted.authority.principal(person_id, session_id, None)
    assert (met, counted.statements - met) == (5, 1)


async def test_a_refused_session_is_asked_about_once_and_leaves_the_others_alone(
    counted: Counted, new_person: NewPerson
) -> None:
    person_id, other_id = await new_person(), await new_person()
    for _ in range(50):
        with pytest.raises(Unauthenticated, match="no sign-in belongs to this token"):
            await counted.authority.principal(person_id, session_of(other_id), None)
    assert counted.statements == 1
    assert (await counted.authority.principal(person_id, session_of(person_id), None)).person_id == person_id


async def test_a_session_that_ends_while_it_is_read_is_refused(
    database: Database, new_person: NewPerson, module_database_url: str
) -> None:
    authority, person_id = Authority(database), await new_person()
    locker = await asyncpg.connect(module_database_url)
    try:
        async with locker.transaction():
            await locker.execute("lock table session in access exclusive mode")
            asked = [asyncio.create_task(authority.principal(person_id, session_of(person_id), None)) for _ in (1, 2)]
            while not all(task.done() for task in asked) and len(authority._readings.get(person_id, ())) < 2:
                await asyncio.sleep(0)
            await locker.execute("update session set state = 'revoked' where person_id = $1", person_id)
            authority.forget(person_id)
        told = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await locker.close()
    assert [type(one) for one in told] == [Unauthenticated, Unauthenticated]
