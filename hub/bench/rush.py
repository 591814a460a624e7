"""A rush: N clients come as fast as they can, then all of them are cut off at the same moment.

Told are the seconds until all had joined, the seconds until the server had forgotten all, and the longest time its loop
could do nothing else meanwhile: what everybody who stayed would have waited.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.bench.contenders import OURS, Contender, audience, contender, contenders

FORGET_SECONDS = 60.0


async def bench_rush(
    *, clients: int, free_port: Callable[[], int], modules: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The rush at each server."""
    results = {}
    names, not_available = await contenders(modules)
    for name in names:
        tell(f"{name}: {clients} clients come and go")
        async with contender(name, free_port(), modules) as running:
            results[name] = await _measure(running, clients)
    ours = results.pop(OURS)
    return {
        "is_well": ours["left_behind"] == 0,
        "clients": clients,
        "hub": ours,
        "peers": results,
        "not_available": not_available,
    }


async def _measure(running: Contender, clients: int) -> dict[str, float]:
    await running.ask("/stall")
    began = time.monotonic()
    async with audience(running.url, clients) as crowd:
        joined_seconds = time.monotonic() - began
        _, joining_stall = (await running.ask("/stall")).split()
        began = time.monotonic()
        await crowd.ask("leave")
    left_behind, stall = clients, 0.0
    while left_behind and time.monotonic() - began < FORGET_SECONDS:
        told_clients, told_stall = (await running.ask("/stall")).split()
        left_behind, stall = int(told_clients), max(stall, float(told_stall))
        await asyncio.sleep(0.01)
    return {
        "joined_seconds": round(joined_seconds, 2),
        "joining_stall_ms": float(joining_stall),
        "forgotten_seconds": round(time.monotonic() - began, 2),
        "leaving_stall_ms": stall,
        "left_behind": left_behind,
    }
