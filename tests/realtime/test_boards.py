"""A kitchen that has orders in hand and no board is noticed, and told to the metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from prometheus_client import REGISTRY

from hub.realtime import boards
from tests.realtime.two_hubs import listen_at, token_of
from tests.town import found, opened, place, sequenced, sequencing, until


def counted(kitchens: int) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return REGISTRY.get_sample_value("hotpass_unwatched_kitchens") == kitchens

    return is_so


async def test_a_kitchen_with_orders_in_hand_is_unwatched_until_somebody_follows_its_board(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "LOOK_SECONDS", 0.05)
    conn = await asyncpg.connect(database_url)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sequencing(database_url, redis_url))
        idle, busy = await found(conn), await found(conn)
        order = await place(conn, busy)
        await sequenced(conn)
        url, app = await stack.enter_async_context(opened(database_url, redis_url))
        house, presence = app.ctx.house, app.ctx.live.presence
        assert await boards.unwatched(house.database, house.redis) == [busy.kitchen_id]
        await until(counted(1))
        other, board = [await listen_at(stack, url, token_of(busy.manager_id)) for _ in range(2)]
        await other.subscribe(f"kitchen:{idle.kitchen_id}")
        await presence.renew()
        assert await boards.unwatched(house.database, house.redis) == [busy.kitchen_id]
        await board.subscribe(f"kitchen:{busy.kitchen_id}")
        await presence.renew()
        assert await boards.unwatched(house.database, house.redis) == []
        await until(counted(0))
        board.socket.abort()
        await until(counted(1))
        await conn.execute("update orders set status = 'cancelled', ended_at = now() where id = $1", order.order_id)
        await until(counted(0))
    await conn.close()
