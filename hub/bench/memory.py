"""What an idle client costs the hub in memory, against python-socketio's own engine and Node's socket.io.

Private memory of the server process (USS) with N clients that have joined, less that with a first hundred, divided by
their difference: libraries, warm-up and the allocator's first arenas are paid by the hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from hub.bench.contenders import NODE, OURS, STOCK, Contender, audience, contender, node_is_at_hand

WARM_UP_CLIENTS = 100


async def bench_memory(
    *, clients: int, free_port: Callable[[], int], modules: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Bytes per idle client, for each server."""
    names = [OURS, STOCK, *([NODE] if node_is_at_hand(modules) else [])]
    bytes_per_client: dict[str, int] = {}
    for name in names:
        tell(f"{name}: {clients} idle clients")
        async with contender(name, free_port(), modules) as running:
            bytes_per_client[name] = await _measure(running, clients)
    ours = bytes_per_client.pop(OURS)
    return {
        "is_well": True,
        "clients": clients,
        "hub_bytes_per_client": ours,
        "peers": bytes_per_client,
        "ratios": {name: round(peer / max(1, ours), 2) for name, peer in bytes_per_client.items()},
    }


async def _measure(running: Contender, clients: int) -> int:
    async with audience(running.url, WARM_UP_CLIENTS):
        before = await _private_bytes(running)
        async with audience(running.url, clients):
            return round((await _private_bytes(running) - before) / clients)


async def _private_bytes(running: Contender) -> int:
    await running.ask("/quiet")
    used: int = psutil.Process(running.process_id).memory_full_info().uss
    return used
