"""From a committed row to three hundred subscribers: delay, throughput, CPU per process, and the oracle's count.

    writers (own process, open-loop) ─► Postgres ─► sequencer ─► Redis ─► hub ─► subscribers (own process)

A change of one order reaches thirteen frames: ten sockets of its kitchen and three of the order itself. The delay is
from the acknowledgement of the commit, at the writer, to the receipt of a frame, at a subscriber, on one monotonic
clock. Everything shares one machine: the figures are those of the machine, not of the hub alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hub.bench.cpu import cpu_by_name
from hub.bench.processes import expect, say, start
from hub.bench.subscribers import Hearing, Listener, Listening
from hub.bench.writers import Acknowledged, Orders

KITCHEN_SOCKETS = 100
ORDER_SOCKETS = 200
ORDERS_OF_A_SOCKET = 3
CONNECTIONS = 32
TEXT_BYTES = 160
WARM_UP_SECONDS = 1.0
START_TIMEOUT_SECONDS = 60.0
SETTLE_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The running house: where it is, whose processes are which, and what may be written and heard."""

    hub_url: str
    database_url: str
    redis_url: str
    nudge_channel: str
    statement: str
    kitchen_ids: Sequence[str]
    order_ids: Sequence[str]
    tokens: Sequence[str]
    processes: Mapping[str, Sequence[int]]
    directory: Path


async def bench_pipeline(
    ground: Ground, *, rates: Sequence[float], seconds: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """One case per rate, each with fresh writers and subscribers."""
    cases = []
    for rate in rates:
        tell(f"{rate:g} changes/s for {seconds:g} s")
        cases.append(await _case(ground, rate, seconds))
    return {"subscribers": KITCHEN_SOCKETS + ORDER_SOCKETS, "connections": CONNECTIONS, "cases": cases}


async def _case(ground: Ground, rate: float, seconds: float) -> dict[str, Any]:
    heard_path, told_path = ground.directory / "heard.msgpack", ground.directory / "acknowledged.msgpack"
    listening = Listening(hub_url=ground.hub_url, listeners=listeners(ground), heard_path=str(heard_path))
    orders = Orders(
        database_url=ground.database_url,
        redis_url=ground.redis_url,
        nudge_channel=ground.nudge_channel,
        statement=ground.statement,
        ids=list(ground.order_ids),
        rate_per_second=rate,
        seconds=seconds,
        connections=CONNECTIONS,
        text_bytes=TEXT_BYTES,
        acknowledged_path=str(told_path),
    )
    async with (
        asyncio.timeout(2 * START_TIMEOUT_SECONDS + seconds + SETTLE_TIMEOUT_SECONDS),
        start("hub.bench.subscribers", listening) as subscribers,
        start("hub.bench.writers", orders) as writers,
    ):
        names = {**ground.processes, "writers": [writers.pid], "subscribers": [subscribers.pid]}
        await say(writers, "go")
        await asyncio.sleep(WARM_UP_SECONDS)
        before, begun = cpu_by_name(names), time.monotonic_ns()
        await asyncio.sleep(seconds - 2 * WARM_UP_SECONDS)
        after, ended = cpu_by_name(names), time.monotonic_ns()
        await expect(writers, "done")
        await asyncio.sleep(WARM_UP_SECONDS)
        await say(subscribers, "stop")
        await expect(subscribers, "done")
        await asyncio.gather(writers.wait(), subscribers.wait())
    told = msgspec.msgpack.decode(told_path.read_bytes(), type=list[Acknowledged])
    hearing = msgspec.msgpack.decode(heard_path.read_bytes(), type=Hearing)
    cpu = {name: after[name] - before[name] for name in names}
    return {"offered_per_s": rate} | figures(told, hearing, cpu, begun=begun, ended=ended)


def listeners(ground: Ground) -> list[Listener]:
    """A third of the sockets follow kitchens, the others three orders each."""
    kitchens, orders, tokens = ground.kitchen_ids, ground.order_ids, ground.tokens
    topics = [[f"kitchen:{kitchens[number % len(kitchens)]}"] for number in range(KITCHEN_SOCKETS)]
    for number in range(ORDER_SOCKETS):
        first = number * ORDERS_OF_A_SOCKET
        topics.append([f"order:{orders[(first + turn) % len(orders)]}" for turn in range(ORDERS_OF_A_SOCKET)])
    return [Listener(token=tokens[number % len(tokens)], topics=one) for number, one in enumerate(topics)]


def figures(
    told: list[Acknowledged], hearing: Hearing, cpu: Mapping[str, float], *, begun: int, ended: int
) -> dict[str, Any]:
    """Only changes acknowledged within the window count for delay, rate and CPU; every change counts for the oracle."""
    received: dict[tuple[str, int], list[int]] = defaultdict(list)
    for heard in hearing.changes:
        received[heard.id, heard.version].append(heard.received)
    window = [one for one in told if begun <= one.acknowledged <= ended]
    delays = [at - one.acknowledged for one in window for at in received[one.id, one.version]]
    issued = [at - one.issued for one in window for at in received[one.id, one.version]]
    unheard = sum(not received[one.id, one.version] for one in told)
    seconds = (ended - begun) / 1e9
    return {
        "achieved_per_s": round(len(window) / seconds, 1),
        "frames_per_s": round(len(delays) / seconds),
        "commit_to_client_ms": _percentiles(delays),
        "issue_to_client_ms": _percentiles(issued),
        "commit_ms": _percentiles([one.acknowledged - one.issued for one in window]),
        "cpu_us_per_change": {name: round(used / max(1, len(window)) * 1e6) for name, used in cpu.items()},
        "changes": len(told),
        "lost": hearing.tally["lost"] + unheard,
        "duplicated": hearing.tally["duplicated"],
        "reordered": hearing.tally["reordered"] + hearing.tally["version_falls"],
        "sockets_lost": hearing.sockets_lost,
    }


def _percentiles(nanoseconds: list[int]) -> dict[str, float] | None:
    if not nanoseconds:
        return None
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return {name: round(ordered[round(last * share)] / 1e6, 2) for name, share in (("p50", 0.5), ("p99", 0.99))}
