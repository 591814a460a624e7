"""A storm: the only worker of a hub is killed under its clients, who all come back at once while changes go on.

    N clients on kitchen topics ─ a trickle of changes ─ kill -9 ─► listening ─► the last client has resumed ─► settled

Told are the seconds from the kill until a request was answered again and until the last client had resumed, and what
the clients' own count of offsets and the database's heads find missing or repeated. The port itself is never closed:
it belongs to the main process, and who comes meanwhile waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hub.bench.processes import expect, said, say, start
from hub.bench.survivors import Flock, Outcome
from hub.bench.traffic import Ground
from hub.bench.writers import Acknowledged, Orders

CHANGES_PER_SECOND = 5.0
CALM_SECONDS = 2.0
TRICKLE_SECONDS = 12.0
CONNECTIONS = 2
TEXT_BYTES = 160
MOST_SECONDS = 240.0
RETRY_SECONDS = 0.005


async def bench_storm(
    ground: Ground,
    *,
    clients: int,
    kill_worker: Callable[[], None],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """`kill_worker` kills the worker that holds the clients; its hub starts another."""
    flock = Flock(
        hub_url=ground.hub_url,
        token=ground.tokens[0],
        topics=[f"kitchen:{kitchen_id}" for kitchen_id in ground.kitchen_ids],
        clients=clients,
    )
    told_path = ground.directory / "acknowledged.msgpack"
    orders = Orders(
        database_url=ground.database_url, redis_url=ground.redis_url, nudge_channel=ground.nudge_channel,
        statement=ground.statement, ids=list(ground.order_ids), rate_per_second=CHANGES_PER_SECOND,
        seconds=TRICKLE_SECONDS, connections=CONNECTIONS, text_bytes=TEXT_BYTES, acknowledged_path=str(told_path),
    )  # fmt: skip
    async with asyncio.timeout(MOST_SECONDS), start("hub.bench.survivors", flock) as survivors:
        tell(f"{clients} clients have subscribed")
        async with start("hub.bench.writers", orders) as writers:
            await say(writers, "go")
            await expect(writers, "begun")
            await asyncio.sleep(CALM_SECONDS)
            await say(survivors, "brace")
            await expect(survivors, "braced")
            killed_at = time.monotonic()
            kill_worker()
            await _answered(ground.hub_url)
            listening_seconds = time.monotonic() - killed_at
            tell(f"listening after {listening_seconds:.2f} s")
            await say(survivors, "resume")
            resumed_at = float(await said(survivors))
            tell(f"all have resumed after {resumed_at - killed_at:.2f} s")
            await expect(writers, "done")
        await say(survivors, "settle")
        outcome = msgspec.json.decode(await said(survivors), type=Outcome)
    acknowledged = msgspec.msgpack.decode(told_path.read_bytes(), type=list[Acknowledged])
    lost = outcome.lost + max(0, len(acknowledged) - outcome.changes)
    return {
        "clients": clients,
        "changes": len(acknowledged),
        "listening_s": round(listening_seconds, 2),
        "converged_s": round(resumed_at - killed_at, 2),
        "lost": lost,
        "duplicated": outcome.duplicated,
        "snapshots": outcome.snapshots,
        "is_well": lost == 0 and outcome.duplicated == 0,
    }


async def _answered(hub_url: str) -> None:
    """Wait until a request is answered."""
    place = urlsplit(hub_url)
    request = f"GET /livez HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode()
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                writer.write(request)
                if (await reader.readline()).startswith(b"HTTP/1.1 200"):
                    return
            finally:
                writer.close()
        await asyncio.sleep(RETRY_SECONDS)
