"""What clients that do not read cost those that do: the same traffic to the same readers, without and with them.

The sleepers follow the same topic, with open sockets that they never read. The hub queues for each up to its bound and
then drops the topic for it; what becomes of them when they wake up is counted. The ratio is the readers' p99 beside
them by that without, both the median of rounds that take turns: a p99 of some hundred changes is one stall of the
machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

import msgspec

from hub.bench.processes import said, say, start
from hub.bench.sleepers import Awake, Sleepers
from hub.bench.subscribers import Listener
from hub.bench.traffic import Ground, Traffic, faults, measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """How many clients there are, how many of them do not read, and what is written meanwhile, how often.

    A bound of 256 KiB, and what the kernels keep on both sides, are overrun after about 110 changes of 5,000 bytes.
    """

    clients: int = 1000
    asleep: int = 100
    rate_per_second: float = 8.0
    seconds: float = 18.0
    text_bytes: int = 5000
    rounds: int = 3


Figures = dict[str, Any]


async def bench_slow_readers(ground: Ground, sleep: Sleep, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """One case in the form of `fanout`; `lost` counts the readers only, `asleep` the sleepers of all rounds."""
    topics = [f"kitchen:{ground.kitchen_ids[0]}"]
    readers = sleep.clients - sleep.asleep
    traffic = Traffic(
        topics=[topics] * readers,
        rate_per_second=sleep.rate_per_second,
        seconds=sleep.seconds,
        text_bytes=sleep.text_bytes,
    )
    ground = replace(ground, order_ids=ground.order_ids[:: len(ground.kitchen_ids)])
    listeners = [Listener(token=ground.tokens[0], topics=topics)] * sleep.asleep
    without: list[Figures] = []
    beside: list[Figures] = []
    woken: list[Awake] = []
    for _ in range(sleep.rounds):
        tell(f"{readers} readers for {sleep.seconds:g} s")
        without.append(await measure(ground, traffic))
        tell(f"{readers} readers beside {sleep.asleep} that do not read, for {sleep.seconds:g} s")
        async with start("hub.bench.sleepers", Sleepers(hub_url=ground.hub_url, listeners=listeners)) as sleepers:
            beside.append(await measure(ground, traffic))
            await say(sleepers, "wake up")
            woken.append(msgspec.json.decode(await said(sleepers), type=Awake))
    return _case(sleep, without, beside, woken)


def _case(sleep: Sleep, without: list[Figures], beside: list[Figures], woken: Sequence[Awake]) -> dict[str, Any]:
    p99_beside, p99_without = median(map(_p99, beside)), median(map(_p99, without))
    return {
        "name": f"{sleep.asleep} of {sleep.clients} clients do not read",
        "subscribers": sleep.clients,
        "topics": 1,
        "rounds": sleep.rounds,
        "hub_cpu_us_per_delivery": round(fmean(one["cpu_us_per_delivery"]["hub"] for one in beside), 2),
        "p99_ms": p99_beside,
        "p99_ms_without": p99_without,
        "deliveries_per_s": round(fmean(one["frames_per_s"] for one in beside)),
        "deliveries_per_change": round(fmean(one["frames_per_change"] for one in beside), 2),
        "lost": sum(faults(one) for one in (*without, *beside)),
        "asleep": {name: sum(getattr(one, name) for one in woken) for name in Awake.__struct_fields__},
        "peers": {},
        "ratios": {"p99_beside_slow_readers": round(p99_beside / max(0.01, p99_without), 2)},
    }


def _p99(case: Figures) -> float:
    return float((case["commit_to_client_ms"] or {"p99": 0.0})["p99"])
