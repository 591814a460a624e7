"""How many sockets somebody has, over all workers and hosts: asked once per connection, answered by one script.

    connect ─ own count + 1 ─► script: what the other living workers say + own ≤ limit? ─► own count is written, or no
    leave   ─ own count - 1 ─► written four times a second, so thousands who leave at once cost nothing here
    worker  ─ its lease, every 2 s ─► counts of a worker without a lease are void, and swept where they are met

Invariant: a worker writes its own count, never a difference, so whatever was lost comes right with the next write.
While Redis is away a worker allows a quarter of the limit on its own.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from hashlib import sha1

import hiredis

from hub.gateway.wire import Wire, Word, open_wire
from hub.observability import logs
from hub.realtime.sockets import SocketLimits

LOG = logs.get(__name__)
LEASE_MILLISECONDS = 6_000
BEAT_SECONDS = 2.0
WRITE_SECONDS = 0.25
RETRY_SECONDS = 0.2
PATIENCE_SECONDS = 2.0
WRITES_PER_TURN = 500
AWAY_SHARE = 4
# A count that no living worker writes any more goes after a day.
KEPT_SECONDS = 86_400

# KEYS: one hash per thing counted (worker -> count). ARGV: worker, lease prefix, seconds to keep, then own count and
# limit of each key. The number of the first key that is full, or 0.
TAKE = """
local function others(key)
  local total, held = 0, redis.call('hgetall', key)
  for at = 1, #held, 2 do
    if held[at] ~= ARGV[1] then
      if redis.call('exists', ARGV[2] .. held[at]) == 1 then total = total + held[at + 1]
      else redis.call('hdel', key, held[at]) end
    end
  end
  return total
end
for number, key in ipairs(KEYS) do
  if others(key) + ARGV[2 * number + 2] > tonumber(ARGV[2 * number + 3]) then return number end
end
for number, key in ipairs(KEYS) do
  redis.call('hset', key, ARGV[1], ARGV[2 * number + 2])
  redis.call('expire', key, ARGV[3])
end
return 0
"""
DIGEST = sha1(TAKE.encode(), usedforsecurity=False).hexdigest()
LEASE = "hotpass:worker:"


class Occupancy:
    """The sockets of one worker by owner and by address, and what the other workers have."""

    def __init__(self, redis_url: str, limits: SocketLimits) -> None:
        self._redis_url = redis_url
        self._limits = {"account": limits.per_principal, "address": limits.per_address}
        self._worker = secrets.token_hex(6)
        self._held: Counter[tuple[str, str]] = Counter()
        self._changed: set[tuple[str, str]] = set()
        self._wire: Wire | None = None
        # What is asked in one turn of the loop leaves in one write: in a storm many ask at once.
        self._asking: list[tuple[list[Word], asyncio.Future[int]]] = []

    async def run(self) -> None:
        """Keep the lease and the connection for ever."""
        while True:
            try:
                await self._session()
            except (OSError, hiredis.ReplyError) as error:
                LOG.info("redis is away", error=str(error))
            self._wire = None
            await asyncio.sleep(RETRY_SECONDS)

    async def leave(self) -> None:
        """Give the lease back: all counts of this worker are void."""
        wire, self._wire = self._wire, None
        if wire is not None:
            try:
                await wire.command("DEL", LEASE + self._worker)
            except (OSError, hiredis.ReplyError) as error:
                LOG.info("the lease was not given back", error=str(error))
            wire.close()

    @property
    def is_connected(self) -> bool:
        """Whether the other workers are asked, or this one is on its own."""
        return self._wire is not None

    def is_full_at(self, address: str) -> bool:
        """Whether this worker alone knows that the address has all it may have; asked before anything is looked up."""
        return self._held["address", address] >= self._limits["address"]

    async def take(self, owner: str, address: str) -> str | None:
        """Count one more socket; else what is full: `account` or `address`, and nothing was counted."""
        counted = (("account", owner), ("address", address))
        for one in counted:
            self._held[one] += 1
        try:
            full = await self._ask(counted)
        except BaseException:
            self.give_back(owner, address)
            raise
        if full is not None:
            self.give_back(owner, address)
        return full

    def give_back(self, owner: str, address: str) -> None:
        """A socket that was counted is gone."""
        for one in (("account", owner), ("address", address)):
            self._held[one] -= 1
            if not self._held[one]:
                del self._held[one]
            self._changed.add(one)

    async def _ask(self, counted: tuple[tuple[str, str], ...]) -> str | None:
        wire = self._wire
        if wire is None or not wire.is_alive:
            return self._full_here(counted)
        words: list[Word] = ["EVALSHA", DIGEST, len(counted), *map(_key, counted), self._worker, LEASE, KEPT_SECONDS]
        for one in counted:
            words += self._held[one], self._limits[one[0]]
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        self._asking.append((words, answer))
        if len(self._asking) == 1:
            loop.call_soon(self._send, wire)
        try:
            full = await answer
        except (OSError, hiredis.ReplyError):
            wire.close()  # whatever it was: the next connection loads the script again
            return self._full_here(counted)
        return counted[full - 1][0] if full else None

    def _send(self, wire: Wire) -> None:
        asking, self._asking = self._asking, []
        wire.commands([(words, answer) for words, answer in asking if not answer.done()])

    def _full_here(self, counted: tuple[tuple[str, str], ...]) -> str | None:
        """Without Redis: what this worker must not have more of."""
        for one in counted:
            if self._held[one] > max(1, self._limits[one[0]] // AWAY_SHARE):
                return one[0]
        return None

    async def _session(self) -> None:
        wire = await open_wire(self._redis_url, patience_seconds=PATIENCE_SECONDS)
        try:
            await wire.command("SCRIPT", "LOAD", TAKE)
            await self._beat(wire)
            self._changed.update(self._held)
            self._wire = wire
            while True:
                beaten_at = time.monotonic()
                while time.monotonic() - beaten_at < BEAT_SECONDS:
                    await asyncio.sleep(WRITE_SECONDS)
                    await self._write(wire)
                await self._beat(wire)
        finally:
            self._wire = None
            wire.close()

    async def _beat(self, wire: Wire) -> None:
        await wire.command("SET", LEASE + self._worker, 1, "PX", LEASE_MILLISECONDS)

    async def _write(self, wire: Wire) -> None:
        """Bring the counts that have fallen, a slice a turn of the loop."""
        while self._changed:
            changed = [self._changed.pop() for _ in range(min(len(self._changed), WRITES_PER_TURN))]
            loop = asyncio.get_running_loop()
            batch = [(self._write_of(one), loop.create_future()) for one in changed]
            wire.commands(batch)
            await asyncio.gather(*(answer for _, answer in batch))

    def _write_of(self, one: tuple[str, str]) -> list[Word]:
        count = self._held[one]
        return ["HSET", _key(one), self._worker, count] if count else ["HDEL", _key(one), self._worker]


def _key(one: tuple[str, str]) -> str:
    return f"hotpass:sockets:{one[0]}:{one[1]}"
