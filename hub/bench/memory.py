"""What an idle connection costs the hub in memory, against python-socketio's own engine and Node's socket.io.

Resident memory of the server process with N clients that have joined, less that with a first hundred, divided by N:
libraries, warm-up and the allocator's first arenas are paid by the hundred. A ratio is ours by the peer's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from hub.bench.contenders import OURS, Contender, audience, contender, contenders

WARM_UP_CLIENTS = 100


async def bench_memory(
    *, connections: int, free_port: Callable[[], int], modules: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Bytes per idle connection, for each server."""
    names, not_available = await contenders(modules)
    bytes_of: dict[str, int] = {}
    for name in names:
        tell(f"{name}: {connections} idle connections")
        async with contender(name, free_port(), modules) as running:
            bytes_of[name] = await _measure(running, connections)
    ours = bytes_of.pop(OURS)
    return {
        "is_well": True,
        "connections": connections,
        "rss_bytes_per_connection": ours,
        "peers": bytes_of,
        "ratios": {name: round(ours / max(1, peer), 2) for name, peer in bytes_of.items()},
        "not_available": not_available,
    }


async def _measure(running: Contender, connections: int) -> int:
    async with audience(running.url, WARM_UP_CLIENTS):
        before = await _resident_bytes(running)
        async with audience(running.url, connections):
            return round((await _resident_bytes(running) - before) / connections)


async def _resident_bytes(running: Contender) -> int:
    await running.ask("/quiet")
    used: int = psutil.Process(running.process_id).memory_info().rss
    return used
