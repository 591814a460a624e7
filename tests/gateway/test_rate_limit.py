"""Limits: exact under concurrency, all or nothing, and stricter by oneself while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.gateway import rate_limit
from hub.gateway.rate_limit import BY_ADDRESS, BY_PRINCIPAL, Limiter, RateClass, Rule, Verdict, asks_for

HOURLY = Rule(name="hourly", limit=50, period_seconds=36_000, local_limit=12)
WIDE = Rule(name="wide", limit=500, period_seconds=36_000, local_limit=500)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that a busy machine keeps waiting is not taken for one that is away."""
    monkeypatch.setattr(rate_limit, "REDIS_TIMEOUT_SECONDS", 30.0)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the test's logical database."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def limiters(redis_url: str) -> AsyncIterator[list[Limiter]]:
    """The limiters of four workers."""
    made = [Limiter(redis_url) for _ in range(4)]
    yield made
    for limiter in made:
        await limiter.stop()


@pytest.fixture
def limiter(limiters: list[Limiter]) -> Limiter:
    """The limiter of one worker."""
    return limiters[0]


def allowed(verdicts: list[Verdict | None]) -> int:
    return sum(verdict is not None and verdict.is_allowed for verdict in verdicts)


async def test_exactly_the_limit_passes_at_hundred_way_concurrency(limiters: list[Limiter]) -> None:
    verdicts = await asyncio.gather(*(limiters[n % 4].take([(HOURLY, "asha")]) for n in range(100)))
    assert allowed(list(verdicts)) == 50
    assert sorted(verdict.remaining for verdict in verdicts if verdict and verdict.is_allowed) == list(range(50))


async def test_a_refused_request_takes_from_no_bucket(limiter: Limiter) -> None:
    for _ in range(60):
        await limiter.take([(WIDE, "address"), (HOURLY, "asha")])
    verdict = await limiter.take([(WIDE, "address")])
    assert verdict is not None
    assert verdict.remaining == 500 - 50 - 1


async def test_buckets_of_two_people_are_apart(limiter: Limiter) -> None:
    asha = [await limiter.take([(HOURLY, "asha")]) for _ in range(60)]
    ravi = [await limiter.take([(HOURLY, "ravi")]) for _ in range(60)]
    assert (allowed(asha), allowed(ravi)) == (50, 50)


async def test_a_refusal_says_when_to_come_again_and_that_is_true(limiter: Limiter, redis: Redis) -> None:
    quick = Rule(name="quick", limit=2, period_seconds=1, local_limit=1)
    verdicts = [await limiter.take([(quick, "x")]) for _ in range(3)]
    last = verdicts[-1]
    assert last is not None
    assert not last.is_allowed
    assert last.headers() == {
        "RateLimit-Limit": "2",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": "2;w=1",
        "Retry-After": "1",
    }
    key = "limit:quick:x"
    while await redis.exists(key):
        pass
    again = await limiter.take([(quick, "x")])
    assert again is not None
    assert again.is_allowed


async def test_a_bucket_leaves_nothing_behind(limiter: Limiter, redis: Redis) -> None:
    await limiter.take([(BY_PRINCIPAL[RateClass.READ], "asha")])
    assert 0 < await redis.pttl("limit:read:asha") <= 100 * 1000


async def test_without_redis_each_worker_counts_and_log_ins_more_strictly() -> None:
    limiter = Limiter("redis://127.0.0.1:1")
    sign_in, read = BY_ADDRESS[RateClass.SIGN_IN], BY_ADDRESS[RateClass.READ]
    assert allowed([await limiter.take([(sign_in, "a")]) for _ in range(100)]) == sign_in.limit // 4
    assert allowed([await limiter.take([(read, "a")]) for _ in range(100)]) == 100
    refused = await limiter.take([(sign_in, "a")])
    await limiter.stop()
    assert refused is not None
    assert int(refused.headers()["Retry-After"]) >= 1


async def test_a_redis_that_does_not_answer_is_given_up_and_counted_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "REDIS_TIMEOUT_SECONDS", 0.05)
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        limiter = Limiter(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        rule = BY_ADDRESS[RateClass.SIGN_IN]
        assert (
            allowed(list(await asyncio.gather(*(limiter.take([(rule, "a")]) for _ in range(100))))) == rule.limit // 4
        )
        await asyncio.wait_for(gone.wait(), 10)
        await limiter.stop()


def test_a_kitchens_bump_is_never_limited() -> None:
    assert asks_for(RateClass.FREE, address="203.0.113.1", principal_id="asha") == []


def test_who_is_signed_in_does_not_share_the_bucket_of_an_address() -> None:
    [(rule, who)] = asks_for(RateClass.READ, address="203.0.113.1", principal_id="asha")
    assert (rule, who) == (BY_PRINCIPAL[RateClass.READ], "asha")


def test_every_class_has_its_rules() -> None:
    assert set(BY_PRINCIPAL) == set(BY_ADDRESS) == set(RateClass) - {RateClass.FREE}
