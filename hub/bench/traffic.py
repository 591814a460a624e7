"""One case of traffic: writers of their own process change rows, subscribers of their own process hear of it.

    writers (open-loop) ─► Postgres ─► whatever is measured ─► subscribers

The delay is from the acknowledgement of the commit, at the writer, to the receipt of a frame, at a subscriber, on one
monotonic clock. Everything shares one machine: the figures are those of the machine, not of the hub alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hub.bench.cpu import cpu_by_name, cpu_seconds
from hub.bench.processes import expect, say, start
from hub.bench.subscribers import Hearing, Listener, Listening
from hub.bench.writers import Acknowledged, Orders

CONNECTIONS = 32
TEXT_BYTES = 160
# Left out of the window at both ends; of a short case a quarter.
MARGIN_SECONDS = 1.0
START_TIMEOUT_SECONDS = 60.0
SETTLE_TIMEOUT_SECONDS = 30.0
# What loads the house; every other name is of what is measured.
LOAD = frozenset({"writers", "subscribers"})


async def already_new() -> None:
    """Nothing to do before a case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The running house: where it is, whose processes are which, and what may be written and heard.

    The kitchens of `order_ids` are `kitchen_ids` in turn. No nudge is given where `nudge_channel` is None. `renew` is
    awaited before each case.
    """

    hub_url: str
    database_url: str
    redis_url: str
    nudge_channel: str | None
    statement: str
    kitchen_ids: Sequence[str]
    order_ids: Sequence[str]
    tokens: Sequence[str]
    processes: Mapping[str, Sequence[int]]
    directory: Path
    renew: Callable[[], Awaitable[None]] = already_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Who follows what, and how many changes a second of how much text are made for how long."""

    topics: Sequence[Sequence[str]]
    rate_per_second: float
    seconds: float
    text_bytes: int = TEXT_BYTES


async def measure(ground: Ground, traffic: Traffic) -> dict[str, Any]:
    """The `figures` of one case, with fresh writers and subscribers, one subscriber for each entry of `topics`."""
    await ground.renew()
    margin_seconds = min(MARGIN_SECONDS, traffic.seconds / 4)
    heard_path, told_path = ground.directory / "heard.msgpack", ground.directory / "acknowledged.msgpack"
    tokens = ground.tokens
    listeners = [
        Listener(token=tokens[number % len(tokens)], topics=list(topics))
        for number, topics in enumerate(traffic.topics)
    ]
    listening = Listening(hub_url=ground.hub_url, listeners=listeners, heard_path=str(heard_path))
    async with (
        asyncio.timeout(2 * START_TIMEOUT_SECONDS + traffic.seconds + SETTLE_TIMEOUT_SECONDS),
        start("hub.bench.subscribers", listening) as subscribers,
        start("hub.bench.writers", _orders(ground, traffic, told_path)) as writers,
    ):
        names = {**ground.processes, "writers": [writers.pid], "subscribers": [subscribers.pid]}
        await say(writers, "go")
        await expect(writers, "begun")
        await asyncio.sleep(margin_seconds)
        before, begun = cpu_by_name(names), time.monotonic_ns()
        await asyncio.sleep(traffic.seconds - 2 * margin_seconds)
        after, ended = cpu_by_name(names), time.monotonic_ns()
        await expect(writers, "done")
        await say(writers, "go home")
        await say(subscribers, "stop")
        await expect(subscribers, "done")
        await asyncio.gather(writers.wait(), subscribers.wait())
    told = msgspec.msgpack.decode(told_path.read_bytes(), type=list[Acknowledged])
    hearing = msgspec.msgpack.decode(heard_path.read_bytes(), type=Hearing)
    cpu = {name: cpu_seconds(before[name], after[name]) for name in names}
    return {"offered_per_s": traffic.rate_per_second} | figures(told, hearing, cpu, begun=begun, ended=ended)


def _orders(ground: Ground, traffic: Traffic, told_path: Path) -> Orders:
    return Orders(
        database_url=ground.database_url,
        redis_url=ground.redis_url,
        nudge_channel=ground.nudge_channel,
        statement=ground.statement,
        ids=list(ground.order_ids),
        rate_per_second=traffic.rate_per_second,
        seconds=traffic.seconds,
        connections=CONNECTIONS,
        text_bytes=traffic.text_bytes,
        acknowledged_path=str(told_path),
    )


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
    changes = max(1, len(window))
    return {
        "achieved_per_s": round(len(window) / seconds, 1),
        "frames_per_s": round(len(delays) / seconds),
        "frames_per_change": round(sum(len(received[one.id, one.version]) for one in told) / max(1, len(told)), 2),
        "commit_to_client_ms": _percentiles(delays),
        "issue_to_client_ms": _percentiles(issued),
        "commit_ms": _percentiles([one.acknowledged - one.issued for one in window]),
        "cpu_us_per_change": {name: round(used / changes * 1e6) for name, used in cpu.items()},
        "cpu_us_per_delivery": {name: round(used / max(1, len(delays)) * 1e6, 2) for name, used in cpu.items()},
        "server_cpu_us_per_change": round(sum(used for name, used in cpu.items() if name not in LOAD) / changes * 1e6),
        "changes": len(told),
        "lost": hearing.tally["lost"] + unheard,
        "duplicated": hearing.tally["duplicated"],
        "reordered": hearing.tally["reordered"] + hearing.tally["version_falls"],
        "sockets_lost": hearing.sockets_lost,
    }


def faults(case: Mapping[str, Any]) -> int:
    """How often the case broke what the hub promises."""
    return int(case["lost"] + case["duplicated"] + case["reordered"])


def _percentiles(nanoseconds: list[int]) -> dict[str, float] | None:
    if not nanoseconds:
        return None
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return {name: round(ordered[round(last * share)] / 1e6, 2) for name, share in (("p50", 0.5), ("p99", 0.99))}
