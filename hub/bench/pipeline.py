"""From a committed row to three hundred subscribers: delay, throughput, CPU per process, and the oracle's count.

    writers (own process, open-loop) ─► Postgres ─► sequencer ─► Redis ─► hub ─► subscribers (own process)

A change of one order reaches thirteen frames: ten sockets of its kitchen and three of the order itself. The peer that
runs in the same run is `relay`: pg_notify, Node.js, Redis. A ratio is our processor time a change by the peer's: that
of everything between the writers and the subscribers, Postgres and Redis included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.bench.traffic import CONNECTIONS, Ground, Traffic, faults, measure

KITCHEN_SOCKETS = 100
ORDER_SOCKETS = 200
ORDERS_OF_A_SOCKET = 3
# Below this share of the offered rate a case did not keep pace: its cost and that of others are not at the same rate.
SUSTAINED = 0.95

Cases = list[dict[str, Any]]


async def pipeline_cases(
    ground: Ground, *, rates: Sequence[float], seconds: float, tell: Callable[[str], None]
) -> Cases:
    """One case per rate, each with fresh writers and subscribers; what `pipeline_report` puts side by side."""
    cases = []
    for rate in rates:
        tell(f"{rate:g} changes/s for {seconds:g} s: {', '.join(ground.processes)}")
        topics = followed(ground)
        case = await measure(ground, Traffic(topics=topics, rate_per_second=rate, seconds=seconds))
        head = {
            "name": f"{rate:g} changes/s",
            "subscribers": len(topics),
            "p99_ms": (case["commit_to_client_ms"] or {}).get("p99"),
            "is_sustained": case["achieved_per_s"] >= SUSTAINED * rate,
        }
        cases.append(head | case)
    return cases


def pipeline_report(ours: Cases, peers: Mapping[str, Cases], not_available: Mapping[str, str]) -> dict[str, Any]:
    """Our cases with those of the peers beside them. It is well when ours broke no promise."""
    cases = [
        case
        | {
            "peers": {name: theirs[number] for name, theirs in peers.items()},
            "ratios": {name: _ratio(case, theirs[number]) for name, theirs in peers.items()},
        }
        for number, case in enumerate(ours)
    ]
    return {
        "subscribers": KITCHEN_SOCKETS + ORDER_SOCKETS,
        "connections": CONNECTIONS,
        "cases": cases,
        "not_available": dict(not_available),
        "is_well": not any(faults(case) for case in ours),
    }


def _ratio(ours: Mapping[str, int], theirs: Mapping[str, int]) -> float:
    return round(ours["server_cpu_us_per_change"] / max(1, theirs["server_cpu_us_per_change"]), 2)


def followed(ground: Ground) -> list[list[str]]:
    """A third of the sockets follow kitchens, the others three orders each."""
    kitchens, orders = ground.kitchen_ids, ground.order_ids
    topics = [[f"kitchen:{kitchens[number % len(kitchens)]}"] for number in range(KITCHEN_SOCKETS)]
    for number in range(ORDER_SOCKETS):
        first = number * ORDERS_OF_A_SOCKET
        topics.append([f"order:{orders[(first + turn) % len(orders)]}" for turn in range(ORDERS_OF_A_SOCKET)])
    return topics
