"""What clients that do not read cost those that do: the same traffic to the same readers, without and with them.

The sleepers follow the same topic, with open sockets that they never read. The hub queues for each up to its bound and
then drops the topic for it; what becomes of them when they wake up is counted. The ratio is the readers' p99 beside
them by that without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from hub.bench.processes import said, say, start
from hub.bench.sleepers import Awake, Sleepers
from hub.bench.subscribers import Listener
from hub.bench.traffic import Ground, Traffic, faults, measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """How many clients there are, how many of them do not read, and what is written meanwhile.

    A bound of 256 KiB, and what the kernels keep on both sides, are overrun after about 120 changes of 4,000 bytes.
    """

    clients: int = 1000
    asleep: int = 100
    rate_per_second: float = 8.0
    seconds: float = 20.0
    text_bytes: int = 4000


async def bench_slow_readers(ground: Ground, sleep: Sleep, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """One case in the form of `fanout`; `lost` counts the readers only."""
    topics = [f"kitchen:{ground.kitchen_ids[0]}"]
    readers = sleep.clients - sleep.asleep
    traffic = Traffic(
        topics=[topics] * readers,
        rate_per_second=sleep.rate_per_second,
        seconds=sleep.seconds,
        text_bytes=sleep.text_bytes,
    )
    ground = replace(ground, order_ids=ground.order_ids[:: len(ground.kitchen_ids)])
    tell(f"{readers} readers for {sleep.seconds:g} s")
    alone = await measure(ground, traffic)
    tell(f"{readers} readers beside {sleep.asleep} that do not read, for {sleep.seconds:g} s")
    asleep = Sleepers(
        hub_url=ground.hub_url, listeners=[Listener(token=ground.tokens[0], topics=topics)] * sleep.asleep
    )
    async with start("hub.bench.sleepers", asleep) as sleepers:
        beside = await measure(ground, traffic)
        await say(sleepers, "wake up")
        awake = msgspec.json.decode(await said(sleepers), type=Awake)
    p99_alone, p99_beside = (_p99(case) for case in (alone, beside))
    return {
        "name": f"{sleep.asleep} of {sleep.clients} clients do not read",
        "subscribers": sleep.clients,
        "topics": 1,
        "hub_cpu_us_per_delivery": beside["cpu_us_per_delivery"]["hub"],
        "p99_ms": p99_beside,
        "p99_ms_without": p99_alone,
        "deliveries_per_s": beside["frames_per_s"],
        "deliveries_per_change": beside["frames_per_change"],
        "lost": faults(alone) + faults(beside),
        "asleep": msgspec.to_builtins(awake),
        "peers": {},
        "ratios": {"p99_beside_slow_readers": round(p99_beside / max(0.01, p99_alone), 2)},
    }


def _p99(case: dict[str, Any]) -> float:
    return float((case["commit_to_client_ms"] or {"p99": 0.0})["p99"])
