"""The fold is the oracle of every fault test: each planted fault is counted, a clean stream counts none."""

from __future__ import annotations

from hub.client.fold import Change, Present, Tally, TopicFold

TOPIC = "kitchen:1"


def change(offset: int, *, version: int | None = None, key: str = "a", op: str = "put", epoch: int = 1) -> Change:
    row = {"id": key, "offset": offset} if op == "put" else None
    return Change(
        topic=TOPIC,
        epoch=epoch,
        offset=offset,
        entity="order",
        id=key,
        version=offset if version is None else version,
        op=op,
        row=row,
    )


def fold_at(offset: int, *rows: Present) -> TopicFold:
    fold = TopicFold(TOPIC)
    fold.snapshot(1, offset, rows, ())
    return fold


def feed(*offsets: int) -> TopicFold:
    fold = fold_at(0)
    for offset in offsets:
        fold.change(change(offset))
    return fold


def test_a_clean_stream_counts_no_fault() -> None:
    fold = feed(1, 2, 3, 4)
    fold.reach(4)
    assert fold.tally.is_clean
    assert fold.tally.applied == 4
    assert fold.row("order", "a") == {"id": "a", "offset": 4}


def test_a_dropped_change_is_lost() -> None:
    fold = feed(1, 2, 4)
    assert (fold.tally.lost, fold.has_gap, fold.resume_offset) == (1, True, 2)
    assert not fold.tally.is_clean


def test_a_dropped_last_change_is_lost_at_the_fence() -> None:
    fold = feed(1, 2)
    fold.reach(3)
    assert fold.tally.lost == 1


def test_swapped_changes_are_reordered_and_not_lost() -> None:
    fold = feed(1, 3, 2, 4)
    assert (fold.tally.lost, fold.tally.reordered, fold.tally.duplicated) == (0, 1, 0)
    assert fold.row("order", "a") == {"id": "a", "offset": 4}


def test_a_repeated_change_is_duplicated_and_not_applied() -> None:
    fold = feed(1, 2, 2, 3, 1)
    assert (fold.tally.duplicated, fold.tally.applied) == (2, 3)


def test_a_stale_change_is_a_version_fall_and_the_newer_row_stays() -> None:
    fold = fold_at(0)
    fold.change(change(1, version=5))
    fold.change(change(2, version=4))
    assert fold.tally.version_falls == 1
    assert fold.row("order", "a") == {"id": "a", "offset": 1}


def test_a_snapshot_newer_than_its_offset_is_no_version_fall() -> None:
    fold = fold_at(7, Present(entity="order", id="a", version=9, row={"id": "a", "offset": 9}))
    fold.change(change(8, version=8))
    fold.change(change(9, version=9))
    assert fold.tally.is_clean
    assert fold.row("order", "a") == {"id": "a", "offset": 9}


def test_a_tombstone_keeps_a_late_put_out() -> None:
    fold = TopicFold(TOPIC)
    fold.snapshot(1, 3, (), (Present(entity="order", id="a", version=6),))
    fold.change(change(4, version=5))
    assert fold.row("order", "a") is None
    assert fold.versions() == {}


def test_out_and_delete_take_the_row_away() -> None:
    for op in ("out", "delete"):
        fold = feed(1)
        fold.change(change(2, op=op))
        assert fold.row("order", "a") is None


def test_another_epoch_is_counted_and_not_mixed_in() -> None:
    fold = feed(1)
    fold.change(change(2, epoch=2))
    assert (fold.tally.mixed_epochs, fold.offset) == (1, 1)


def test_a_replay_must_reach_the_offset_that_it_names() -> None:
    fold = feed(1)
    fold.replay(1, 4, [change(2), change(3)])
    assert fold.tally.lost == 1


def test_a_replay_heals_a_gap_but_the_loss_stays_counted() -> None:
    fold = feed(1, 4)
    fold.replay(1, 4, [change(2), change(3), change(4)])
    assert (fold.tally.lost, fold.tally.healed, fold.has_gap) == (2, 2, False)
    assert fold.row("order", "a") == {"id": "a", "offset": 4}


def test_a_snapshot_that_goes_back_within_an_epoch_is_counted() -> None:
    fold = feed(1, 2, 3)
    fold.snapshot(1, 2, (), ())
    assert fold.tally.reordered == 1


def test_nothing_may_follow_a_revocation() -> None:
    fold = feed(1)
    fold.is_revoked = True
    fold.change(change(2))
    assert fold.tally.after_revocation == 1


def test_tallies_add_up() -> None:
    total = Tally()
    total += feed(1, 3).tally
    total += feed(1, 1).tally
    assert (total.lost, total.duplicated, total.applied) == (1, 1, 3)
