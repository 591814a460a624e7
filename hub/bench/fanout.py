"""What one delivery costs the hub: events to rooms, against python-socketio's own engine and Node's socket.io.

All contenders run in the same run, on the same schedule, with the same clients in a process of their own; the cost is
the server's processor time by the scheduler's account, divided by the deliveries that the clients counted. Most of it
is the kernel's: `bare_send_us` is what `send()` alone takes on this machine, at this moment. A ratio is ours by the
peer's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.bench.contenders import OURS, Contender, audience, contender, contenders
from hub.bench.cpu import cpu_seconds, cpu_used

# Slow enough that the slowest contender keeps pace, so that nobody is measured while it drowns.
DELIVERIES_PER_SECOND = 3000.0
WARM_UP_ROUNDS = 5
SMALL_ROOM = 3
# Where rooms are small several change in one turn of the loop, as the changes of one batch do.
BURST_ROOMS = 10
BARE_SEND_ROUNDS = 20
FRAME_BYTES = 270


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many clients, over how many rooms of the same size, and how many rooms are told at once."""

    clients: int
    rooms: int
    burst: int

    @property
    def name(self) -> str:
        """The case in words."""
        size = self.clients // self.rooms
        return f"one event to {size} subscribers" if self.rooms == 1 else f"{self.rooms} topics x {size} subscribers"

    @property
    def deliveries_per_round(self) -> int:
        """How many deliveries one turn makes."""
        return self.clients // self.rooms * self.burst


def shapes_of(subscribers: Sequence[int], small_rooms: int) -> list[Shape]:
    """One shape per number of subscribers of one topic, and one of many topics of three (0 `small_rooms`: none)."""
    shapes = [Shape(clients=clients, rooms=1, burst=1) for clients in subscribers]
    if small_rooms:
        shapes.append(Shape(clients=small_rooms * SMALL_ROOM, rooms=small_rooms, burst=min(small_rooms, BURST_ROOMS)))
    return shapes


async def bench_fanout(
    *,
    shapes: Sequence[Shape],
    seconds: float,
    free_port: Callable[[], int],
    modules: Path,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """One case per shape."""
    names, not_available = await contenders(modules)
    cases = []
    for shape in shapes:
        results = {}
        for name in names:
            tell(f"{name}: {shape.name} for {seconds:g} s")
            async with contender(name, free_port(), modules, rooms=shape.rooms) as running:
                results[name] = await _measure(running, shape, seconds)
        cases.append(_case(shape, results, await _bare_send(shape.deliveries_per_round)))
    return {"is_well": all(case["lost"] == 0 for case in cases), "cases": cases, "not_available": not_available}


async def _measure(running: Contender, shape: Shape, seconds: float) -> dict[str, float]:
    """CPU per delivery, delays, and how many deliveries are missing."""
    each = shape.deliveries_per_round
    rounds = max(10, round(DELIVERIES_PER_SECOND * seconds / each))
    interval_milliseconds = seconds / rounds * 1000
    async with audience(running.url, shape.clients) as crowd:
        await running.ask(f"/blast?rounds={WARM_UP_ROUNDS}&interval_ms=20&burst={shape.burst}")
        await crowd.ask(f"count {WARM_UP_ROUNDS * each}")
        await running.ask("/quiet")
        before, began = cpu_used([running.process_id]), time.monotonic()
        await running.ask(f"/blast?rounds={rounds}&interval_ms={interval_milliseconds}&burst={shape.burst}")
        _, heard, p50, p99 = await crowd.ask(f"count {rounds * each}")
        took_seconds = time.monotonic() - began
        spent_seconds = cpu_seconds(before, cpu_used([running.process_id]))
    return {
        "cpu_us_per_delivery": round(spent_seconds * 1e6 / max(1, int(heard)), 2),
        "deliveries_per_s": round(int(heard) / took_seconds),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "lost": rounds * each - int(heard),
    }


async def _bare_send(clients: int) -> float:
    arguments = ("-m", "hub.bench.floor", str(clients), str(BARE_SEND_ROUNDS), str(FRAME_BYTES))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return round(float(told), 2)


def _case(shape: Shape, results: dict[str, dict[str, float]], bare_send_us: float) -> dict[str, Any]:
    ours = results[OURS]
    peers = {name: result for name, result in results.items() if name != OURS}
    return {
        "name": shape.name,
        "subscribers": shape.clients,
        "topics": shape.rooms,
        "hub_cpu_us_per_delivery": ours["cpu_us_per_delivery"],
        "bare_send_us": bare_send_us,
        **{name: value for name, value in ours.items() if name != "cpu_us_per_delivery"},
        "peers": peers,
        "ratios": {
            name: round(ours["cpu_us_per_delivery"] / max(0.01, peer["cpu_us_per_delivery"]), 2)
            for name, peer in peers.items()
        },
    }
