"""The contests run, count every delivery and measure all contenders; their figures are printed, never judged."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

import orjson
import pytest

from hub.bench.contenders import NODE_SOCKET_IO, OURS, STOCK, contender, contenders
from hub.bench.fanout import bench_fanout, shapes_of
from hub.bench.node import lack_of
from hub.bench.rush import bench_rush
from hub.embedded.ports import claim

MODULES = Path(__file__).parents[2] / ".hotpass/node"
free_port = partial(claim, 0, name="a contender")


async def test_a_fan_out_loses_nothing_and_names_its_peers():
    told = []
    report = await bench_fanout(
        shapes=shapes_of([20], 5), seconds=0.2, free_port=free_port, modules=MODULES, tell=told.append
    )
    case, small = report["cases"]
    assert report["is_well"]
    assert (case["subscribers"], case["topics"], case["lost"]) == (20, 1, 0)
    assert (small["subscribers"], small["topics"], small["lost"]) == (15, 5, 0)
    assert case["hub_cpu_us_per_delivery"] > 0
    assert case["bare_send_us"] > 0
    assert case["deliveries_per_s"] > 0
    assert 0 < case["p50_ms"] <= case["p99_ms"]
    assert STOCK in case["peers"]
    assert set(case["ratios"]) == set(case["peers"])
    assert set(case["peers"]) | set(report["not_available"]) == {STOCK, NODE_SOCKET_IO}
    assert told[0].startswith(OURS)


async def test_a_contender_that_cannot_run_is_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    names, not_available = await contenders(tmp_path)
    assert names == [OURS, STOCK]
    assert not_available == {NODE_SOCKET_IO: "node is not on the PATH"}


async def test_a_peer_whose_packages_npm_cannot_install_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, code in (("node", 0), ("npm", 7)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lack = await lack_of(tmp_path / "modules", ("pg@8",))
    assert lack == "npm could not install pg@8 (exit code 7)"


async def test_a_rush_leaves_nobody_behind():
    report = await bench_rush(clients=120, free_port=free_port, modules=MODULES, tell=lambda _: None)
    assert report["is_well"]
    assert all(server["left_behind"] == 0 for server in (report["hub"], *report["peers"].values()))


async def test_memory_is_told_for_every_contender_by_the_command():
    command = (sys.executable, "-P", "-m", "hub.cli", "bench", "memory", "--connections", "200", "--json")
    settings = {"HOTPASS_DATA_DIRECTORY": str(MODULES.parent)}
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=os.environ | settings)
    told, _ = await process.communicate()
    assert process.returncode == 0
    report = orjson.loads(told)
    assert (report["benchmark"], report["command"]) == ("memory", "hotpass bench memory --connections 200")
    assert set(report["peers"]) | set(report["not_available"]) == {STOCK, NODE_SOCKET_IO}
    assert set(report["ratios"]) == set(report["peers"])
    assert report["rss_bytes_per_connection"] > 0


async def test_a_contender_ends_with_its_contest():
    async with contender(OURS, free_port(), MODULES) as running:
        assert (await running.ask("/stall")).startswith("0 ")
