"""The figures of the pipeline benchmark: what nobody heard is lost, and only the window counts for rate and delay."""

from __future__ import annotations

from pathlib import Path

from hub.bench.pipeline import KITCHEN_SOCKETS, ORDER_SOCKETS, followed, pipeline_report
from hub.bench.subscribers import Heard, Hearing
from hub.bench.traffic import Ground, figures
from hub.bench.writers import Acknowledged

CLEAN = {"applied": 0, "lost": 0, "duplicated": 0, "reordered": 0, "version_falls": 0}
MILLISECOND = 1_000_000


def told(*versions: int) -> list[Acknowledged]:
    """One change each hundred milliseconds, acknowledged two milliseconds after its issue."""
    return [
        Acknowledged("a", version, version * 100 * MILLISECOND, (version * 100 + 2) * MILLISECOND)
        for version in versions
    ]


def hearing(*versions: int) -> Hearing:
    """Each change heard by two subscribers, three and five milliseconds after its acknowledgement."""
    heard = [Heard("a", version, (version * 100 + 2 + late) * MILLISECOND) for version in versions for late in (3, 5)]
    return Hearing(changes=heard, heads={}, tally=dict(CLEAN), sockets_lost=0)


def test_delays_and_rate_are_those_of_the_window() -> None:
    second = 1000 * MILLISECOND
    case = figures(told(*range(20)), hearing(*range(20)), {"hub": 0.001}, begun=0, ended=second)
    assert case["achieved_per_s"] == 10
    assert case["frames_per_change"] == 2
    assert case["commit_to_client_ms"] == {"p50": 5.0, "p99": 5.0}
    assert case["commit_ms"] == {"p50": 2.0, "p99": 2.0}
    assert case["cpu_us_per_change"] == {"hub": 100}
    assert case["cpu_us_per_delivery"] == {"hub": 50}
    assert (case["lost"], case["changes"]) == (0, 20)


def test_a_change_that_nobody_heard_is_lost_wherever_it_stands() -> None:
    case = figures(told(1, 2, 30), hearing(1), {}, begun=0, ended=1000 * MILLISECOND)
    assert case["lost"] == 2


def test_the_load_is_no_part_of_what_a_change_costs_the_servers() -> None:
    cpu = {"hub": 0.001, "Postgres": 0.002, "writers": 5.0, "subscribers": 7.0}
    ours = figures(told(*range(10)), hearing(*range(10)), cpu, begun=0, ended=1000 * MILLISECOND)
    peer = figures(told(*range(10)), hearing(*range(10)), {"Node server": 0.006}, begun=0, ended=1000 * MILLISECOND)
    assert ours["server_cpu_us_per_change"] == 300
    report = pipeline_report([ours], {"peer": [peer]}, {})
    assert report["cases"][0]["ratios"] == {"peer": 0.5}


def test_it_is_not_well_where_a_change_of_ours_was_lost_and_a_peer_s_loss_is_the_peer_s() -> None:
    whole = figures(told(1, 2), hearing(1, 2), {}, begun=0, ended=1000 * MILLISECOND)
    holed = figures(told(1, 2), hearing(1), {}, begun=0, ended=1000 * MILLISECOND)
    assert pipeline_report([whole], {"peer": [holed]}, {})["is_well"]
    assert not pipeline_report([whole, holed], {"peer": [whole, whole]}, {})["is_well"]


def test_every_order_reaches_thirteen_frames() -> None:
    kitchens, orders = [f"k{number}" for number in range(10)], [f"o{number}" for number in range(200)]
    ground = Ground(
        hub_url="", database_url="", redis_url="", nudge_channel="", statement="", kitchen_ids=kitchens,
        order_ids=orders, tokens=["t"], processes={}, directory=Path(),
    )  # fmt: skip
    topics = [topic for one in followed(ground) for topic in one]
    assert len(followed(ground)) == KITCHEN_SOCKETS + ORDER_SOCKETS
    assert {topics.count(f"kitchen:{key}") for key in kitchens} == {10}
    assert {topics.count(f"order:{key}") for key in orders} == {3}
