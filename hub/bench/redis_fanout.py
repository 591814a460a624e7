"""What one delivery costs where the change has come through Redis: the real hub, against Node's Redis adapter.

    row ─► … ─► Valkey stream ─► log reader ─► fan-out ─► sockets        counted: the hub's processes
    row ─► … ─► Valkey pub/sub ─► redis-adapter ─► socket.io ─► sockets   counted: the server's process

Both sides are driven by the same writes, at the same rate, to rows of the same shape, and read by the same crowd. What
brings a change to Redis is not counted here, on either side: `pipeline` does that. A ratio is ours by the peer's. The
hub tells every socket its heads each 5 s, which the peer does not: a case of 7 s has exactly one of them in its window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub.bench.fanout import Shape
from hub.bench.relay import SERVER
from hub.bench.traffic import Ground, Traffic, faults, measure

HUB = "hub"
DELIVERIES_PER_SECOND = 4000.0
# Beyond this Postgres, on the same processors, is what would be measured.
MOST_CHANGES_PER_SECOND = 500.0

Results = list[dict[str, Any]]


async def redis_fanout_cases(
    ground: Ground, *, shapes: Sequence[Shape], seconds: float, tell: Callable[[str], None]
) -> Results:
    """The cost at one server for each shape; what `redis_fanout_report` puts side by side."""
    server = HUB if HUB in ground.processes else SERVER
    results = []
    for shape in shapes:
        tell(f"{server}: {shape.name} through Redis for {seconds:g} s")
        topics, written = _followed(ground, shape)
        rate = min(MOST_CHANGES_PER_SECOND, DELIVERIES_PER_SECOND * shape.rooms / shape.clients)
        traffic = Traffic(topics=topics, rate_per_second=rate, seconds=seconds)
        case = await measure(replace(ground, order_ids=written), traffic)
        delay = case["commit_to_client_ms"] or {}
        results.append(
            {
                "cpu_us_per_delivery": case["cpu_us_per_delivery"][server],
                "p50_ms": delay.get("p50"),
                "p99_ms": delay.get("p99"),
                "deliveries_per_s": case["frames_per_s"],
                "deliveries_per_change": case["frames_per_change"],
                "lost": faults(case),
            }
        )
    return results


def redis_fanout_report(shapes: Sequence[Shape], ours: Results, peers: Mapping[str, Results]) -> list[dict[str, Any]]:
    """One case for each shape, in the form of `fanout`."""
    return [
        {
            "name": f"{shape.name}, through Redis",
            "subscribers": shape.clients,
            "topics": shape.rooms,
            "hub_cpu_us_per_delivery": ours[number]["cpu_us_per_delivery"],
            **{name: value for name, value in ours[number].items() if name != "cpu_us_per_delivery"},
            "peers": {name: theirs[number] for name, theirs in peers.items()},
            "ratios": {name: _ratio(ours[number], theirs[number]) for name, theirs in peers.items()},
        }
        for number, shape in enumerate(shapes)
    ]


def _ratio(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    return round(ours["cpu_us_per_delivery"] / max(0.01, theirs["cpu_us_per_delivery"]), 2)


def _followed(ground: Ground, shape: Shape) -> tuple[list[list[str]], Sequence[str]]:
    """The topics of each subscriber, and the orders to change: one kitchen is a large room, each order a small one.

    Raises `ValueError` where there are not as many orders as rooms.
    """
    if shape.rooms == 1:
        kitchens = ground.kitchen_ids
        return [[f"kitchen:{kitchens[0]}"]] * shape.clients, ground.order_ids[:: len(kitchens)]
    orders = ground.order_ids[: shape.rooms]
    if len(orders) < shape.rooms:
        raise ValueError(f"{shape.rooms} rooms need as many orders, not {len(orders)}")
    return [[f"order:{orders[number % len(orders)]}"] for number in range(shape.clients)], orders
