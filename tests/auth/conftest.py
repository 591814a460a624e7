"""A doorkeeper over a database of one's own, people to sign in, and a hub of one worker in the test's loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sanic import Sanic

from db.connection import Database
from db.context import context
from db.encryption import make_data_keys
from db.people import ADD_GRANT, ADD_PERSON
from hub.app import make_hub
from hub.auth.sessions import Doorkeeper
from hub.embedded.engines import Engines
from hub.gateway.hashing import Hasher
from hub.gateway.tokens import make_key_ring
from hub.observability.health import Workers
from hub.realtime.sequencer import Sequencer
from hub.settings import Settings
from tests.signing import sign_in, token_for

REDIS_DATABASE = 15
DATA_SECRET = "a data secret of the tests, long enough"
FORMER_DATA_SECRET = "the data secret before that, long enough too"
SECRET = "a secret of the tests, long enough for a key"


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    """A pool over the database that the tests of a module share."""
    database = Database(module_database_url, size=10, application="tests")
    await database.start()
    yield database
    await database.stop()


class Post:
    """Keeps every message that would have been sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    async def keep(self, phone: str, text: str) -> None:
        """Take a message."""
        self.messages.append((phone, text))

    def code(self) -> str:
        """The code of the newest message."""
        return self.messages[-1][1][:6]


@pytest.fixture
def post() -> Post:
    """An empty post office."""
    return Post()


@pytest.fixture
def keeper(database: Database, post: Post) -> Iterator[Doorkeeper]:
    """Everything that signing in needs."""
    data_keys = make_data_keys(DATA_SECRET)
    hasher = Hasher(data_keys, cost=4)
    yield Doorkeeper(
        database=database,
        ring=make_key_ring(SECRET),
        data_keys=data_keys,
        hasher=hasher,
        send_text=post.keep,
        access_seconds=600,
    )
    hasher.stop()


@pytest.fixture
def new_person(database: Database) -> Callable[..., Awaitable[str]]:
    """Adds a person, with a grant where a role is given, signed in unless told otherwise; answers the id."""

    async def add(name: str = "Asha", *, role: str | None = None, scope: str = "own", is_signed_in: bool = True) -> str:
        said = context(actor="tests")
        async with database.connection() as conn:
            person_id = str(await ADD_PERSON.value(conn, name=name, locale="en", context=said))
            if role is not None:
                await ADD_GRANT.value(conn, person_id=person_id, role=role, scope=scope, context=said)
            if is_signed_in:
                await sign_in(conn, person_id)
        return person_id

    return add


@pytest.fixture(scope="module")
async def hub_url(engines: Engines, module_database_url: str) -> AsyncIterator[str]:
    """A hub over the module's database."""
    redis_url = engines.redis_url_of(REDIS_DATABASE)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = Settings(
        profile="embedded", database_url=SecretStr(module_database_url), redis_url=SecretStr(redis_url),
        secret_key=SecretStr(SECRET), data_key=SecretStr(DATA_SECRET),
        previous_data_keys=(SecretStr(FORMER_DATA_SECRET),), hub_url=url,
    )  # fmt: skip
    sequencer = Sequencer(database_url=module_database_url, redis_url=redis_url, stream_length=1000)
    sequencing = asyncio.create_task(sequencer.run())
    app = make_hub(settings, Workers(1), lambda: None)
    app.config.TOUCHUP = False
    server = await app.create_server(sock=sock, return_asyncio_server=True)
    assert server is not None
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    yield url
    await server.before_stop()
    await server.close()
    await server.after_stop()
    Sanic.unregister_app(app)
    sequencing.cancel()
    await asyncio.gather(sequencing, return_exceptions=True)


def bearer(person_id: str, session_id: str | None = None) -> dict[str, str]:
    """The header of a person whom `new_person` made."""
    return {"Authorization": f"Bearer {token_for(person_id, secret=SECRET, session_id=session_id)}"}


def keyed() -> dict[str, str]:
    """A fresh idempotency key."""
    return {"Idempotency-Key": uuid4().hex}


@pytest.fixture
async def hub_database(module_database_url: str) -> AsyncIterator[Database]:
    """The database of the module's hub."""
    database = Database(module_database_url, size=2, application="tests")
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
async def api(hub_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the hub."""
    async with aiohttp.ClientSession(hub_url) as session:
        yield session
