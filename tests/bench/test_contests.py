"""The contests run, count every delivery and measure all contenders; their figures are printed, never judged."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hub.bench.contenders import OURS, STOCK, contender
from hub.bench.fanout import bench_fanout
from hub.bench.memory import bench_memory
from hub.bench.rush import bench_rush
from hub.embedded.ports import claim

MODULES = Path(__file__).parents[2] / ".hotpass/node"
free_port = partial(claim, 0, name="a contender")


async def test_a_fan_out_loses_nothing_and_names_its_peers():
    told = []
    report = await bench_fanout(
        subscribers=[20], small_rooms=5, seconds=0.2, free_port=free_port, modules=MODULES, tell=told.append
    )
    case, small = report["cases"]
    assert report["is_well"]
    assert (case["subscribers"], case["topics"], case["lost"]) == (20, 1, 0)
    assert (small["subscribers"], small["topics"], small["lost"]) == (15, 5, 0)
    assert case["hub_cpu_us_per_delivery"] > 0
    assert case["bare_send_us"] > 0
    assert STOCK in case["peers"]
    assert set(case["ratios"]) == set(case["peers"])
    assert told[0].startswith(OURS)


async def test_a_rush_leaves_nobody_behind():
    report = await bench_rush(clients=120, free_port=free_port, modules=MODULES, tell=lambda _: None)
    assert report["is_well"]
    assert all(server["left_behind"] == 0 for server in (report["hub"], *report["peers"].values()))


async def test_memory_is_told_for_every_contender():
    report = await bench_memory(connections=200, free_port=free_port, modules=MODULES, tell=lambda _: None)
    assert set(report["ratios"]) == set(report["peers"])
    assert report["rss_bytes_per_connection"] > 0


async def test_a_contender_ends_with_its_contest():
    async with contender(OURS, free_port(), MODULES) as running:
        assert (await running.ask("/stall")).startswith("0 ")
