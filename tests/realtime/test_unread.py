"""What a client must know to go on reaches it even when it reads nothing and its bound is long passed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from tests.realtime.two_hubs import Listener, listen_at, token_of
from tests.town import PATIENCE_SECONDS, Town, found, opened, sequenced, sequencing, until

# One transaction, and a change a dish and a turn: more than the kernel and the bound hold.
FLOOD = """
do $$ begin for turn in 1..500 loop update item set name = repeat('x', 200) || turn; end loop; end $$
"""
END_GRANT = "delete from role_grant where id = $1"


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


def slow_clients() -> float:
    return REGISTRY.get_sample_value("hotpass_slow_clients_total") or 0.0


async def left_unread(conn: Any, listener: Listener) -> None:
    """The listener stops reading, and so much happens that the hub refuses to queue more for it."""
    before = slow_clients()
    listener.socket.pause()
    await conn.execute(FLOOD)
    await sequenced(conn)

    async def is_slow() -> bool:
        return slow_clients() > before

    await until(is_slow)


async def joined(stack: AsyncExitStack, url: str, town: Town) -> Listener:
    listener = await listen_at(stack, url, token_of(town.manager_id))
    await listener.subscribe(f"kitchen:{town.kitchen_id}")
    await listener.subscribe(f"menu:{town.kitchen_id}")
    return listener


async def test_a_right_that_ends_is_told_and_nothing_of_its_topic_follows(
    database_url: str, redis_url: str, conn: Any
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sequencing(database_url, redis_url))
        url, _ = await stack.enter_async_context(opened(database_url, redis_url))
        town = await found(conn)
        topic = f"kitchen:{town.kitchen_id}"
        listener = await joined(stack, url, town)
        await left_unread(conn, listener)
        witness = await listen_at(stack, url, token_of(town.customer_ids[0]))
        await witness.subscribe(f"menu:{town.kitchen_id}")
        await conn.execute(END_GRANT, town.manager_grant_id)
        await conn.execute("update item set name = 'after' where id = $1", town.item_ids[0])
        # The hub is past the revocation.
        await witness.until(lambda: "after" in witness.names(f"menu:{town.kitchen_id}"))
        listener.socket.resume()
        # Whoever has drained is told what to take up again: of the topic that it lost, nothing.
        await listener.until(lambda: {"topic": f"menu:{town.kitchen_id}"} in listener.told("resync"))
        names = [name for name, payload in listener.events if name != "head" and payload.get("topic") == topic]
        assert names.count("revoked") == 1
        assert names[-1] == "revoked"


async def test_a_token_that_runs_out_is_told(database_url: str, redis_url: str, conn: Any) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sequencing(database_url, redis_url))
        url, app = await stack.enter_async_context(opened(database_url, redis_url))
        town = await found(conn)
        listener = await joined(stack, url, town)
        await left_unread(conn, listener)
        asking = asyncio.create_task(
            listener.socket.ask("authenticate", {"token": token_of(town.manager_id, lifetime_seconds=40)})
        )
        (socket,) = live_sockets(app)

        async def is_warned() -> bool:
            return bool(socket.is_warned)

        await until(is_warned)
        listener.socket.resume()
        (told,) = await listener.until(lambda: listener.told("expiring"))
        assert told["at"] == (await asking)["expires_at"]


async def test_a_worker_that_goes_away_says_so(database_url: str, redis_url: str, conn: Any) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sequencing(database_url, redis_url))
        serving = AsyncExitStack()
        url, app = await serving.enter_async_context(opened(database_url, redis_url))
        town = await found(conn)
        await sequenced(conn)
        listener = await joined(stack, url, town)
        await left_unread(conn, listener)
        stopping = asyncio.create_task(serving.aclose())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while live_sockets(app):  # its session has ended: whatever it was to be told was told before
                await asyncio.sleep(0)
        listener.socket.resume()
        assert await listener.until(lambda: listener.told("draining"))
        await stopping


def live_sockets(app: Any) -> list[Any]:
    """Who is there, as the hub has it."""
    return list(app.ctx.live.sockets.by_sid.values())
