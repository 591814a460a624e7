"""The figures of the pipeline benchmark: what nobody heard is lost, and only the window counts for rate and delay."""

from __future__ import annotations

from pathlib import Path

from hub.bench.pipeline import KITCHEN_SOCKETS, ORDER_SOCKETS, Ground, figures, listeners
from hub.bench.subscribers import Heard, Hearing
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
    assert case["commit_to_client_ms"] == {"p50": 5.0, "p99": 5.0}
    assert case["commit_ms"] == {"p50": 2.0, "p99": 2.0}
    assert case["cpu_us_per_change"] == {"hub": 100}
    assert (case["lost"], case["changes"]) == (0, 20)


def test_a_change_that_nobody_heard_is_lost_wherever_it_stands() -> None:
    case = figures(told(1, 2, 30), hearing(1), {}, begun=0, ended=1000 * MILLISECOND)
    assert case["lost"] == 2


def test_every_order_reaches_thirteen_frames() -> None:
    kitchens, orders = [f"k{number}" for number in range(10)], [f"o{number}" for number in range(200)]
    ground = Ground(
        hub_url="", database_url="", redis_url="", nudge_channel="", statement="", kitchen_ids=kitchens,
        order_ids=orders, tokens=["t"], processes={}, directory=Path(),
    )  # fmt: skip
    topics = [topic for one in listeners(ground) for topic in one.topics]
    assert len(listeners(ground)) == KITCHEN_SOCKETS + ORDER_SOCKETS
    assert {topics.count(f"kitchen:{key}") for key in kitchens} == {10}
    assert {topics.count(f"order:{key}") for key in orders} == {3}
