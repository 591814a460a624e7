"""How often somebody may ask: token buckets in Redis, all of a request's buckets in one atomic call.

The generic cell rate algorithm (GCRA: one number per bucket, the time at which it would be full again). A request takes
from every bucket it names or from none. While Redis is away each worker counts by itself, and log-ins and codes count
against a stricter limit, so that an outage opens no door.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import hiredis
import msgspec
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from hub.domain.roles import Permission
from hub.gateway.wire import Wire, open_wire
from hub.observability import logs

log = logs.get(__name__)

REDIS_TIMEOUT_SECONDS = 0.5
# After a failure Redis is left alone for this long: no request waits for it twice.
AWAY_SECONDS = 1.0
KEY_PREFIX = "limit:"

# KEYS: buckets. ARGV: per bucket the limit and the period in microseconds.
# Answers: allowed, index of the tightest bucket, what remains in it, microseconds until full, until one may retry.
TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local tightest, remaining, reset, wait = 1, math.huge, 0, 0
local full_at = {}
for index, key in ipairs(KEYS) do
    local limit, period = tonumber(ARGV[index * 2 - 1]), tonumber(ARGV[index * 2])
    local step = period / limit
    local before = math.max(tonumber(redis.call('GET', key) or now), now)
    local after = before + step
    local left = math.floor((period - (after - now)) / step + 1e-6)
    full_at[index] = after
    if left < 0 then
        local until_free = after - period - now
        if until_free >= wait then wait = until_free; tightest = index; remaining = 0; reset = before - now end
    elseif wait == 0 and left < remaining then
        tightest = index; remaining = left; reset = after - now
    end
end
if wait > 0 then return {0, tightest, 0, math.ceil(reset), math.ceil(wait)} end
for index, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', full_at[index]), 'PX', math.ceil((full_at[index] - now) / 1000))
end
return {1, tightest, remaining, math.ceil(reset), 0}
"""
TAKE_NAME = hashlib.sha1(TAKE.encode(), usedforsecurity=False).hexdigest()  # how Redis names a script it knows


class RateClass(StrEnum):
    """What kind of request it is. Every route names one; `FREE` is never limited: a kitchen's bump always passes."""

    FREE = "free"
    READ = "read"
    WRITE = "write"
    PLACE = "place"
    POSITION = "position"
    SIGN_IN = "sign-in"
    REFRESH = "refresh"
    OTP = "otp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """At most `limit` in `period_seconds`, all at once if need be; `local_limit` per worker while Redis is away."""

    name: str
    limit: int
    period_seconds: int
    local_limit: int


def _rule(name: str, limit: int, period_seconds: int, *, strict: bool = False) -> Rule:
    return Rule(
        name=name, limit=limit, period_seconds=period_seconds, local_limit=max(1, limit // 4) if strict else limit
    )


# Per principal (a person or an API key), and per address for those whom nobody vouches for yet.
BY_PRINCIPAL: dict[RateClass, Rule] = {
    RateClass.READ: _rule("read", 600, 60),
    RateClass.WRITE: _rule("write", 1200, 60),
    RateClass.PLACE: _rule("place", 60, 60),
    RateClass.POSITION: _rule("position", 120, 60),
    RateClass.SIGN_IN: _rule("sign-in", 30, 60, strict=True),
    RateClass.REFRESH: _rule("refresh", 120, 60),
    RateClass.OTP: _rule("otp", 10, 600, strict=True),
}
BY_ADDRESS: dict[RateClass, Rule] = {
    RateClass.READ: _rule("read-address", 1200, 60),
    RateClass.WRITE: _rule("write-address", 240, 60),
    RateClass.PLACE: _rule("place-address", 120, 60),
    RateClass.POSITION: _rule("position-address", 240, 60),
    RateClass.SIGN_IN: _rule("sign-in-address", 60, 60, strict=True),
    # Nothing can be guessed here, and a whole house may live behind one address.
    RateClass.REFRESH: _rule("refresh-address", 6000, 60),
    RateClass.OTP: _rule("otp-address", 30, 600, strict=True),
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the request may go on, and how its tightest bucket stands. Times in whole seconds, rounded up."""

    is_allowed: bool
    rule: Rule
    remaining: int
    reset_seconds: int
    retry_after_seconds: int

    def headers(self) -> dict[str, str]:
        """The `RateLimit-*` fields of the answer, and `Retry-After` of a refusal."""
        told = {
            "RateLimit-Limit": str(self.rule.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
            "RateLimit-Policy": f"{self.rule.limit};w={self.rule.period_seconds}",
        }
        return told if self.is_allowed else told | {"Retry-After": str(self.retry_after_seconds)}


Ask = tuple[Rule, str]
P = Permission
# What a kitchen does with both hands full: a limit here would let food burn.
UNLIMITED = frozenset({permission for permission in P if permission.startswith("line.")}) | {
    P.ORDER_ACCEPT, P.ORDER_REJECT, P.ORDER_DELAY, P.ORDER_AMEND, P.ORDER_RUSH, P.ORDER_READY, P.ORDER_RECALL,
    P.ITEM_86, P.ITEM_BACK,
}  # fmt: skip


def class_of(method: str, permission: Permission | None) -> RateClass:
    """The class of a route that names none."""
    if permission in UNLIMITED:
        return RateClass.FREE
    if method == "GET":
        return RateClass.READ
    return RateClass.PLACE if permission is P.ORDER_PLACE else RateClass.WRITE


def asks_for(rate_class: RateClass, *, address: str, principal_id: str | None) -> list[Ask]:
    """The buckets that a request takes from. A signed-in caller counts as itself, whatever address it shares."""
    if rate_class is RateClass.FREE:
        return []
    if principal_id is not None:
        return [(BY_PRINCIPAL[rate_class], principal_id)]
    return [(BY_ADDRESS[rate_class], address)]


class Limiter:
    """Counts in Redis; by itself while Redis is away. `scale` multiplies every limit: a demo is in a hurry."""

    def __init__(self, redis_url: str, *, scale: int = 1) -> None:
        self._url, self._scale = redis_url, scale
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    async def stop(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.close()
            await self._wire.lost()

    async def take(self, asks: Sequence[Ask]) -> Verdict | None:
        """Take one from each bucket, or from none; None when there is no bucket to ask. One round trip, 0.1 ms CPU."""
        if not asks:
            return None
        if time.monotonic() < self._away_until:
            return await self._take_locally(asks)
        keys = [f"{KEY_PREFIX}{rule.name}:{who}" for rule, who in asks]
        arguments = [
            number for rule, _ in asks for number in (rule.limit * self._scale, rule.period_seconds * 1_000_000)
        ]
        try:
            allowed, tightest, remaining, reset, wait = await self._run(len(keys), *keys, *arguments)
        except (hiredis.ReplyError, OSError, TimeoutError):
            if time.monotonic() > self._away_until:
                log.warning("rate limits are counted per worker: redis is away")
            self._away_until = time.monotonic() + AWAY_SECONDS
            if self._wire is not None:
                self._wire.close()
            return await self._take_locally(asks)
        return Verdict(
            is_allowed=bool(allowed),
            rule=asks[tightest - 1][0],
            remaining=remaining,
            reset_seconds=math.ceil(reset / 1_000_000),
            retry_after_seconds=math.ceil(wait / 1_000_000),
        )

    async def _run(self, *words: str | int) -> Sequence[int]:
        """Run the script, by its name where Redis knows it."""
        wire = self._wire
        if wire is None or not wire.is_alive:
            async with self._opening:
                if self._wire is None or not self._wire.is_alive:
                    async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                        self._wire = await open_wire(self._url, patience_seconds=REDIS_TIMEOUT_SECONDS)
                wire = self._wire
        try:
            return cast("Sequence[int]", await wire.command("EVALSHA", TAKE_NAME, *words))
        except hiredis.ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return cast("Sequence[int]", await wire.command("EVAL", TAKE, *words))

    async def _take_locally(self, asks: Sequence[Ask]) -> Verdict:
        verdicts = [await self._take_one_locally(rule, who) for rule, who in asks]
        return min(verdicts, key=lambda verdict: (verdict.is_allowed, verdict.remaining))

    async def _take_one_locally(self, rule: Rule, who: str) -> Verdict:
        item = RateLimitItemPerSecond(rule.local_limit * self._scale, rule.period_seconds)
        is_allowed = await self._local.hit(item, rule.name, who)
        stats = await self._local.get_window_stats(item, rule.name, who)
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        return Verdict(
            is_allowed=is_allowed,
            rule=rule,
            remaining=stats.remaining,
            reset_seconds=reset,
            retry_after_seconds=0 if is_allowed else reset,
        )
