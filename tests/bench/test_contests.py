"""The contests run, count every delivery and measure all contenders; their figures are printed, never judged."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hub.bench.contenders import OURS, STOCK, contender
from hub.bench.fanout import bench_fanout
from hub.bench.memory import bench_memory
from hub.bench.storm import bench_storm
from hub.embedded.ports import claim

MODULES = Path(__file__).parents[2] / ".hotpass/node"
free_port = partial(claim, 0, name="a contender")


async def test_a_fan_out_loses_nothing_and_names_its_peers():
    told = []
    report = await bench_fanout(subscribers=[20], seconds=0.2, free_port=free_port, modules=MODULES, tell=told.append)
    case = report["cases"][0]
    assert report["is_well"]
    assert (case["subscribers"], case["lost"]) == (20, 0)
    assert case["hub_cpu_us_per_delivery"] > 0
    assert case["bare_send_us"] > 0
    assert STOCK in case["peers"]
    assert set(case["ratios"]) == set(case["peers"])
    assert told[0].startswith(OURS)


async def test_a_storm_leaves_nobody_behind():
    report = await bench_storm(clients=120, free_port=free_port, modules=MODULES, tell=lambda _: None)
    assert report["is_well"]
    assert all(server["left_behind"] == 0 for server in (report["hub"], *report["peers"].values()))


async def test_memory_is_told_for_every_contender():
    report = await bench_memory(clients=200, free_port=free_port, modules=MODULES, tell=lambda _: None)
    assert set(report["ratios"]) == set(report["peers"])


async def test_a_contender_ends_with_its_contest():
    async with contender(OURS, free_port(), MODULES) as running:
        assert (await running.ask("/stall")).startswith("0 ")
