"""The door of a real hub: nobody is turned away while it is busy, and how clients may come is what its settings say."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.realtime.two_hubs import SECRET, SERVED, HubProcess, hub_process
from tests.town import PATIENCE_SECONDS, found, sequenced, sequencing

AT_THE_DOOR = 400
POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
async def hub(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[HubProcess]:
    one = hub_process(database_url, redis_url, tmp_path, allow_polling=True)
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


async def test_long_polling_is_served_where_a_setting_allows_it(hub: HubProcess):
    async with aiohttp.ClientSession(hub.url) as http:
        async with http.get(POLLING) as response:
            assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
            session = json.loads((await response.text())[1:])
        path = f"{POLLING}&sid={session['sid']}"
        async with http.post(path, data='40{"token":"none"}') as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with http.get(path) as response:
            assert (await response.text()).startswith('44{"message":')


def test_long_polling_with_several_workers_is_refused_at_the_start():
    wrong = {"HOTPASS_ALLOW_POLLING": "true", "HOTPASS_HUB_WORKERS": "2", "HOTPASS_SECRET_KEY": SECRET}
    command = [sys.executable, "-P", *SERVED, "serve", "hub"]
    ran = subprocess.run(command, env={**os.environ, **wrong}, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode != 0
    assert "HOTPASS_ALLOW_POLLING needs HOTPASS_HUB_WORKERS=1" in ran.stderr
