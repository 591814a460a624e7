"""The observers are the oracle of demo and replay: a hub that breaks its promises must not pass the fence unnoticed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hub.client.fold import Tally
from hub.demo.observers import Delays, Observers
from tests.client.small_hub import TOPIC, SmallHub, small_hub

SHORT_SECONDS = 2.0  # only what is lost for good is waited for so long


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[SmallHub]:
    async with small_hub() as running:
        yield running


async def observed(hub: SmallHub, sabotage: str) -> Tally:
    """What two observers count of four changes, told in the way that `sabotage` names."""
    async with Observers(hub.url, lambda: "t", (TOPIC,), fence_seconds=SHORT_SECONDS) as observers:
        changes = [hub.commit(key) for key in "abca"]
        told = {
            "honest": changes,
            "drop": [changes[0], *changes[2:]],
            "drop the last": changes[:3],
            "swap": [changes[0], changes[2], changes[1], changes[3]],
            "duplicate": [changes[0], *changes],
            "stale": [*changes[:3], changes[3] | {"version": 1, "row": changes[0]["row"]}],
            "forge": [*changes[:3], changes[3] | {"version": 9}],
        }[sabotage]
        for change in told:
            await hub.say("change", change)
        await observers.fence()
        assert observers.committed() == 4
        return observers.tally()


async def test_an_honest_hub_passes(hub: SmallHub) -> None:
    tally = await observed(hub, "honest")
    assert (tally.is_clean, tally.applied) == (True, 8)


@pytest.mark.parametrize(
    ("sabotage", "count"),
    [
        ("drop", "lost"),
        ("drop the last", "lost"),
        ("duplicate", "duplicated"),
        ("stale", "version_falls"),
        ("forge", "mismatched"),
    ],
)
async def test_a_planted_fault_is_counted_by_every_observer(hub: SmallHub, sabotage: str, count: str) -> None:
    tally = await observed(hub, sabotage)
    assert getattr(tally, count) == 2
    assert not tally.is_clean


async def test_swapped_changes_do_not_pass(hub: SmallHub) -> None:
    tally = await observed(hub, "swap")
    assert tally.lost + tally.reordered > 0


def test_delays_are_told_as_percentiles() -> None:
    delays = Delays()
    assert delays.percentiles() is None
    for milliseconds in range(101):
        delays.add(float(milliseconds))
    assert delays.percentiles() == {"p50": 50.0, "p99": 99.0}
    assert delays.percentiles(latest=11) == {"p50": 95.0, "p99": 100.0}
