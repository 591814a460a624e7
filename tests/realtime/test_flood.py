"""How fast one socket may ask, by a clock that the test moves: what comes back, and when patience ends."""

from __future__ import annotations

import pytest

from hub.realtime.flood import Rate, TokenBucket, refusal
from hub.realtime.frames import FrameError

RATE = Rate(per_second=20.0, burst=40, most_refused=100)


def asked(bucket: TokenBucket, count: int, *, at: float, seconds_apart: float = 0.0, is_behind: bool = False) -> int:
    """How many of so many events were taken."""
    times = (at + seconds_apart * number for number in range(count))
    return sum(not bucket.retry_after(now, RATE, is_behind=is_behind) for now in times)


def a_bucket() -> TokenBucket:
    return TokenBucket(float(RATE.burst), 0.0)


def test_a_burst_is_taken_and_then_the_rate():
    bucket = a_bucket()
    assert asked(bucket, 60, at=0.0) == 40
    assert asked(bucket, 20, at=1.0) == 20
    assert asked(bucket, 20, at=1.0) == 0


def test_everybody_refused_is_told_a_token_of_its_own():
    bucket = a_bucket()
    asked(bucket, 40, at=10.0)
    told = [10.0 + bucket.retry_after(10.0, RATE) for _ in range(60)]
    assert told == pytest.approx([10.0 + number / 20 for number in range(1, 61)])
    assert [bucket.retry_after(at + 0.001, RATE) for at in told] == [0.0] * 60
    assert bucket.retry_after(13.002, RATE) == pytest.approx(0.048)


def test_the_time_told_is_never_too_early():
    refused = refusal('21["work",1]', 0.0500001)
    assert refused is not None
    assert refused.data[0]["error"]["retry_after"] == 0.051


def test_whoever_goes_on_is_closed():
    bucket = a_bucket()
    asked(bucket, 140, at=0.0)
    with pytest.raises(FrameError, match="too many events") as breach:
        bucket.retry_after(0.001, RATE)
    assert (breach.value.code, breach.value.closing) == (1008, "rate_limited")


def test_a_little_too_fast_is_too_fast_in_the_end():
    bucket = a_bucket()
    with pytest.raises(FrameError):
        asked(bucket, 1000, at=0.0, seconds_apart=1 / 25)


def test_whoever_keeps_to_the_rate_is_never_closed():
    assert asked(a_bucket(), 5000, at=0.0, seconds_apart=1 / 20) == 5000


def test_a_pause_for_a_whole_burst_forgives():
    bucket = a_bucket()
    for second in range(0, 100, 10):
        assert asked(bucket, 130, at=float(second)) == 40
    assert bucket.refused == 90


def test_a_pause_for_less_forgives_nothing():
    bucket = a_bucket()
    asked(bucket, 130, at=0.0)
    with pytest.raises(FrameError):
        asked(bucket, 130, at=1.9)


def test_who_leaves_a_burst_unworked_gets_nothing_however_full_the_bucket():
    bucket = a_bucket()
    assert bucket.retry_after(0.0, RATE, is_behind=True) == pytest.approx(0.05)
    assert asked(bucket, 10, at=0.0, is_behind=True) == 0
    assert asked(bucket, 40, at=0.0) == 40
