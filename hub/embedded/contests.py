"""`hotpass bench pipeline | fanout`: the whole house, then its peer on the same engines, in one run.

Hotpass first, with its own processes; then these are stopped, the engines put in order, and Node.js takes their place:
nobody's polling, vacuum or checkpoint is charged to the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from db.load import NOTIFYING_ORDERS, ORDERS_CHANNEL, SETTLE, TOUCH_NOTIFYING_ORDER
from hub.bench.fanout import bench_fanout, shapes_of
from hub.bench.node import REDIS_ADAPTERS, lack_of
from hub.bench.pipeline import pipeline_cases, pipeline_report
from hub.bench.redis_fanout import redis_fanout_cases, redis_fanout_report
from hub.bench.relay import ONE, TWO, Peer, relay
from hub.bench.slow_readers import Sleep, bench_slow_readers
from hub.bench.traffic import Ground
from hub.embedded.benchmark import Started, execute, with_house
from hub.embedded.ports import claim
from hub.embedded.readout import Readout

PIPELINE_PEERS = {
    "pg_notify_node_socketio_redis": Peer(TWO),
    "pg_notify_node_socketio_redis_streams": Peer(TWO, "redis-streams-adapter"),
    "pg_notify_one_node_socketio": Peer(ONE),
}
FANOUT_PEERS = {
    "node_socketio_redis_adapter": Peer(TWO),
    "node_socketio_redis_streams_adapter": Peer(TWO, "redis-streams-adapter"),
}
# A just-in-time compiler deserves it: changes per second and seconds before the first case of the peer.
WARM_UP_RATE, WARM_UP_SECONDS = 300.0, 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineWish:
    """Which rates, for how long each, how many hub workers, and where the peer's npm packages are (absolute)."""

    modules: Path
    rates: Sequence[float]
    seconds: float
    hub_workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FanoutWish:
    """Which rooms, for how long each, who sleeps, and where the peers' npm packages are (absolute)."""

    modules: Path
    subscribers: Sequence[int]
    small_rooms: int
    seconds: float
    sleep: Sleep | None


def benchmark_pipeline(wish: PipelineWish, readout: Readout) -> dict[str, Any]:
    """Run `hub.bench.pipeline` against real processes, and against the peer; the report, with `is_well`."""
    return with_house(partial(pipeline_in, wish=wish, readout=readout), readout, hub_workers=wish.hub_workers)


def benchmark_fanout(wish: FanoutWish, readout: Readout) -> dict[str, Any]:
    """Run `hub.bench.fanout` without a house, then in one what needs it; the report, with `is_well`."""
    orders = max(wish.small_rooms, 1)
    return with_house(partial(fanout_in, wish=wish, readout=readout), readout, hub_workers=1, orders=orders)


async def pipeline_in(started: Started, *, wish: PipelineWish, readout: Readout) -> dict[str, Any]:
    """The pipeline in a running house, which is stopped for the peer."""
    run = partial(pipeline_cases, rates=wish.rates, seconds=wish.seconds, tell=readout.say)
    ours = await run(started.ground)
    peers, not_available = await beside(started, run, PIPELINE_PEERS, modules=wish.modules, readout=readout)
    return pipeline_report(ours, peers, not_available) | {"hub_workers": wish.hub_workers}


async def fanout_in(started: Started, *, wish: FanoutWish, readout: Readout) -> dict[str, Any]:
    """The fan-out in a running house, which is stopped for the peers."""
    shapes = shapes_of(wish.subscribers, wish.small_rooms)
    run = partial(redis_fanout_cases, shapes=shapes, seconds=wish.seconds, tell=readout.say)
    ours = await run(started.ground)
    slow = []
    if wish.sleep is not None:
        slow.append(await bench_slow_readers(started.ground, wish.sleep, tell=readout.say))
    peers, not_available = await beside(started, run, FANOUT_PEERS, modules=wish.modules, readout=readout)
    alone = await bench_fanout(
        shapes=shapes,
        seconds=wish.seconds,
        free_port=partial(claim, 0, name="a contender"),
        modules=wish.modules,
        tell=readout.say,
    )
    cases = [*alone["cases"], *redis_fanout_report(shapes, ours, peers), *slow]
    return {
        "cases": cases,
        "not_available": alone["not_available"] | not_available,
        "is_well": all(case["lost"] == 0 for case in cases),
    }


async def beside(
    started: Started,
    run: Callable[[Ground], Awaitable[T]],
    peers: Mapping[str, Peer],
    *,
    modules: Path,
    readout: Readout,
) -> tuple[dict[str, T], dict[str, str]]:
    """What `run` finds with each peer in the place of our own processes, and why each of the others cannot run."""
    lack = await lack_of(modules, REDIS_ADAPTERS)
    if lack is not None:
        readout.say(f"no {', '.join(peers)}: {lack}")
        return {}, dict.fromkeys(peers, lack)
    await started.supervisor.stop()
    ground = started.ground
    await execute(ground.database_url, NOTIFYING_ORDERS)
    found = {}
    for name, peer in peers.items():
        await execute(ground.database_url, SETTLE)
        port = claim(0, name="a peer")
        async with relay(
            ground, peer, statement=TOUCH_NOTIFYING_ORDER, channel=ORDERS_CHANNEL, port=port, modules=modules
        ) as running:
            readout.say(f"{name} warms up")
            await pipeline_cases(running, rates=[WARM_UP_RATE], seconds=WARM_UP_SECONDS, tell=lambda _: None)
            found[name] = await run(running)
    return found, {}
