"""A hub that does not get round to accepting for a moment turns nobody away."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from tests.realtime.two_hubs import HubProcess, hub_process
from tests.town import PATIENCE_SECONDS, found, sequenced, sequencing

AT_THE_DOOR = 400


@pytest.fixture
async def hub(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[HubProcess]:
    one = hub_process(database_url, redis_url, tmp_path)
    conn = await asyncpg.connect(database_url)
    async with sequencing(database_url, redis_url):
        await found(conn)
        await sequenced(conn)
        await one.process.start_async()
        yield one
        await one.process.stop_async()
    await conn.close()


async def test_hundreds_who_come_while_a_worker_is_busy_are_connected_at_once(hub: HubProcess):
    process_id = hub.process.process_id
    assert process_id is not None
    loop = asyncio.get_running_loop()
    with ExitStack() as closing:
        sockets = [closing.enter_context(socket.socket()) for _ in range(AT_THE_DOOR)]
        os.kill(process_id, signal.SIGSTOP)
        closing.callback(os.kill, process_id, signal.SIGCONT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for one in sockets:
                one.setblocking(False)
                await loop.sock_connect(one, ("127.0.0.1", hub.port))
