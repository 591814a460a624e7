"""A live topic is resumed after every loss, repairs what was dropped, and counts every broken promise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hub.client.clock import ProductClock
from hub.client.errors import AskRefused
from hub.client.fold import TopicFold
from hub.client.live import Live, Watchers
from tests.client.small_hub import TOPIC, SmallHub, small_hub

PATIENCE_SECONDS = 30.0  # a busy machine; nothing waits this long when all is well


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[SmallHub]:
    async with small_hub() as running:
        yield running


@pytest_asyncio.fixture
async def live(hub: SmallHub) -> AsyncIterator[Live]:
    async with Live(hub.url, lambda: {"token": "t"}, clock=ProductClock()) as connected:
        yield connected


async def reached(live: Live, fold: TopicFold, offset: int) -> None:
    await live.until(lambda: fold.offset >= offset and not fold.has_gap, timeout_seconds=PATIENCE_SECONDS)


async def test_a_snapshot_is_followed_by_changes(hub: SmallHub, live: Live) -> None:
    hub.commit("a")
    fold = await live.subscribe(TOPIC)
    assert fold.row("order", "a") == {"id": "a", "status": "s1", "version": 1}
    await hub.tell("b")
    await reached(live, fold, 2)
    assert fold.tally.is_clean
    assert fold.versions() == {("order", "a"): 1, ("order", "b"): 2}


async def test_a_cut_connection_resumes_from_its_offset(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    await hub.tell("a")
    await reached(live, fold, 1)
    await hub.cut()
    hub.commit("b")
    hub.commit("a")
    await reached(live, fold, 3)
    assert hub.asked[-1] == {"topic": TOPIC, "epoch": 1, "offset": 1}
    assert (fold.tally.replays, fold.tally.snapshots) == (1, 1)
    assert fold.tally.is_clean
    assert live.connects == 2


async def test_another_epoch_is_taken_as_a_whole(hub: SmallHub, live: Live) -> None:
    hub.commit("a")
    fold = await live.subscribe(TOPIC)
    hub.epoch, hub.log = 2, []
    hub.commit("z")
    await hub.cut()
    await live.until(lambda: fold.epoch == 2, timeout_seconds=PATIENCE_SECONDS)
    assert list(fold.held) == [("order", "z")]
    assert fold.tally.is_clean


async def test_a_dropped_frame_is_counted_and_then_fetched(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    await hub.tell("a")
    hub.commit("b")
    await hub.tell("c")
    await reached(live, fold, 3)
    assert (fold.tally.lost, fold.tally.healed) == (1, 1)
    assert fold.row("order", "b") is not None


async def test_a_dropped_last_frame_is_noticed_by_the_head(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    hub.commit("a")
    await hub.say("head", {"at": "2026-03-01T12:00:00+00:00", "rate": 60, "topics": {TOPIC: 1}})
    await reached(live, fold, 1)
    assert live.behind_heads == 1
    assert live.clock is not None
    assert live.clock.rate == 60


async def test_a_repeated_frame_is_counted(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    await hub.tell("a")
    await hub.say("change", hub.log[0])
    await hub.tell("b")
    await reached(live, fold, 2)
    assert fold.tally.duplicated == 1


async def test_a_resync_is_answered_from_the_last_offset_without_a_fault(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    await hub.tell("a")
    hub.commit("b")
    await hub.say("resync", {"topic": TOPIC})
    await reached(live, fold, 2)
    assert (live.resyncs, fold.tally.is_clean) == (1, True)


async def test_nothing_is_applied_after_a_revocation(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    await hub.say("revoked", {"topic": TOPIC, "reason": "role"})
    await hub.tell("a")
    await live.until(lambda: fold.tally.after_revocation, timeout_seconds=PATIENCE_SECONDS)
    assert fold.offset == 0


async def test_a_forbidden_topic_is_refused_to_the_caller(hub: SmallHub, live: Live) -> None:
    hub.refusals = ["forbidden"]
    with pytest.raises(AskRefused) as caught:
        await live.subscribe(TOPIC)
    assert caught.value.code == "forbidden"
    assert live.folds == []


async def test_a_passing_refusal_is_asked_again(hub: SmallHub, live: Live) -> None:
    hub.refusals = ["unavailable"]
    hub.commit("a")
    fold = await live.subscribe(TOPIC)
    assert fold.offset == 1


async def test_a_large_snapshot_comes_in_pages(hub: SmallHub, live: Live) -> None:
    for number in range(7):
        hub.commit(f"k{number}")
    hub.page_changes = 3
    fold = await live.subscribe(TOPIC)
    assert len(fold.rows("order")) == 7
    assert [question.get("page") for question in hub.asked] == [None, 1, 2]


async def test_watchers_hear_every_row_however_it_came(hub: SmallHub) -> None:
    seen: list[tuple[str, int]] = []
    watchers = Watchers(on_row=lambda _, entity, row: seen.append((row["id"], row["version"])))
    hub.commit("a")
    async with Live(hub.url, lambda: {"token": "t"}, watchers=watchers) as live:
        fold = await live.subscribe(TOPIC)
        await hub.tell("b")
        await reached(live, fold, 2)
        await hub.cut()
        hub.commit("c")
        await reached(live, fold, 3)
    assert seen == [("a", 1), ("b", 2), ("c", 3)]


async def test_counts_outlive_a_left_topic(hub: SmallHub, live: Live) -> None:
    fold = await live.subscribe(TOPIC)
    await hub.tell("a")
    await reached(live, fold, 1)
    await live.unsubscribe(TOPIC)
    assert live.tally().applied == 1


async def test_changes_in_the_same_segment_as_the_answer_are_kept(hub: SmallHub, live: Live) -> None:
    hub.told_with_the_answer = 3
    fold = await live.subscribe(TOPIC)
    await reached(live, fold, 3)
    assert (fold.tally.applied, fold.tally.is_clean) == (3, True)
