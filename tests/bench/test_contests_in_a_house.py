"""The benchmarks that need a whole house, in short: real engines, hub, sequencer, Node.js; nothing lost, nobody free.

A planted loss and a planted deafness show that the counts can fail. No figure is judged.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.bench.pipeline import pipeline_cases, pipeline_report
from hub.bench.slow_readers import Sleep, bench_slow_readers
from hub.embedded.benchmark import Started, storm_in, with_house
from hub.embedded.contests import (
    FANOUT_PEERS,
    PIPELINE_PEERS,
    FanoutWish,
    PipelineWish,
    benchmark_fanout,
    pipeline_in,
)
from hub.embedded.readout import Readout
from tests.faults.proxy import proxy

MODULES = Path(__file__).parents[2] / ".hotpass/node"
PIPELINE = PipelineWish(modules=MODULES, rates=(60.0,), seconds=2.0, hub_workers=1)
# Enough text for each sleeper's bound to be overrun within the first second.
SLEEP = Sleep(clients=12, asleep=4, rate_per_second=100.0, seconds=2.5, text_bytes=6000, rounds=1)


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    """Every benchmark of one house, by name."""
    readout = Readout(plain=True, json=True)

    async def bench(started: Started) -> dict[str, Any]:
        async with proxy(started.ground.hub_url, "drop") as lossy_url:
            lossy = replace(started.ground, hub_url=lossy_url)
            planted = await pipeline_cases(lossy, rates=PIPELINE.rates, seconds=2.0, tell=readout.say)
        storm = await storm_in(started, clients=60, readout=readout)
        slow = await bench_slow_readers(started.ground, SLEEP, tell=readout.say)
        pipeline = await pipeline_in(started, wish=PIPELINE, readout=readout)
        return {"planted": pipeline_report(planted, {}, {}), "storm": storm, "slow": slow, "pipeline": pipeline}

    return with_house(bench, readout, hub_workers=1)


def free_of_charge(case: dict[str, Any]) -> list[str]:
    """The processes that nothing was counted for."""
    return [name for name, used in case["cpu_us_per_change"].items() if used <= 0]


def test_the_pipeline_loses_nothing_and_charges_every_process(reports: dict[str, Any]) -> None:
    report = reports["pipeline"]
    case = report["cases"][0]
    assert report["is_well"]
    assert (case["lost"], case["duplicated"], case["reordered"], case["subscribers"]) == (0, 0, 0, 300)
    assert case["changes"] > 0
    assert case["frames_per_change"] == 13
    assert set(case["cpu_us_per_change"]) == {"hub", "sequencer 1", "Postgres", "Valkey", "writers", "subscribers"}
    assert free_of_charge(case) == []


def test_the_peers_of_the_pipeline_are_measured_alike_or_named_with_a_reason(reports: dict[str, Any]) -> None:
    report = reports["pipeline"]
    case = report["cases"][0]
    assert set(case["peers"]) | set(report["not_available"]) == set(PIPELINE_PEERS)
    assert set(case["ratios"]) == set(case["peers"])
    for peer in case["peers"].values():
        assert (peer["lost"], peer["duplicated"], peer["reordered"]) == (0, 0, 0)
        assert peer["frames_per_change"] == 13
        assert {"Postgres", "Valkey", "Node server"} <= set(peer["cpu_us_per_change"])
        assert "hub" not in peer["cpu_us_per_change"]
        assert free_of_charge(peer) == []


def test_a_storm_loses_nothing_and_is_over(reports: dict[str, Any]) -> None:
    report = reports["storm"]
    assert report["is_well"]
    assert (report["clients"], report["lost"], report["duplicated"]) == (60, 0, 0)
    assert report["changes"] > 0
    assert 0 < report["listening_s"] <= report["converged_s"]


def test_a_planted_loss_is_no_well_pipeline(reports: dict[str, Any]) -> None:
    assert reports["planted"]["cases"][0]["lost"] > 0
    assert not reports["planted"]["is_well"]


def test_clients_that_do_not_read_are_told_so_and_the_others_lose_nothing(reports: dict[str, Any]) -> None:
    case = reports["slow"]
    assert (case["lost"], case["subscribers"]) == (0, SLEEP.clients)
    assert case["asleep"] == {"resynced": SLEEP.asleep, "closed": 0, "untold": 0}
    assert case["deliveries_per_change"] == SLEEP.clients - SLEEP.asleep
    assert case["p99_ms"] > 0
    assert case["p99_ms_without"] > 0
    assert case["hub_cpu_us_per_delivery"] > 0
    assert set(case["ratios"]) == {"p99_beside_slow_readers"}


def test_a_fan_out_is_told_in_process_and_through_redis() -> None:
    wish = FanoutWish(modules=MODULES, subscribers=[20], small_rooms=10, seconds=2.0, sleep=None)
    report = benchmark_fanout(wish, Readout(plain=True, json=True))
    assert report["is_well"]
    names = [case["name"] for case in report["cases"]]
    assert names[2:] == [f"{name}, through Redis" for name in names[:2]]
    for case in report["cases"]:
        assert case["lost"] == 0
        assert case["hub_cpu_us_per_delivery"] > 0
        assert {"name", "subscribers", "peers", "ratios", "p99_ms"} <= set(case)
        assert set(case["ratios"]) == set(case["peers"])
        assert all(peer["cpu_us_per_delivery"] > 0 for peer in case["peers"].values())
    for case in report["cases"][2:]:
        each = case["subscribers"] / case["topics"]
        assert {one["deliveries_per_change"] for one in (case, *case["peers"].values())} == {each}
        assert set(case["peers"]) | set(report["not_available"]) >= set(FANOUT_PEERS)
