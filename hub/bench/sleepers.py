"""A process of clients that subscribe and then stop reading: their sockets stay open, the kernel's buffers fill.

`python -m hub.bench.sleepers`: one JSON line of `Sleepers` on standard input, `ready` once all are asleep. Then any
line wakes them: they read what came, and `Awake` is what the hub had to tell them, as one JSON line.
"""

from __future__ import annotations

import asyncio

import msgspec
import uvloop

from hub.bench.subscribers import Listener, subscribe
from hub.bench.talk import hear, say, task_of
from hub.client.socket import Socket

SLEEPERS_AT_ONCE = 25
AWAKE_SECONDS = 10.0
RESYNC = b'["resync",'


class Sleepers(msgspec.Struct, frozen=True, kw_only=True):
    """Who falls asleep over which topics."""

    hub_url: str
    listeners: list[Listener]


class Awake(msgspec.Struct, frozen=True, kw_only=True):
    """How many were told to take a new snapshot, were cut off, or were told nothing for they had missed nothing."""

    resynced: int
    closed: int
    untold: int


class Sleeper(Socket):
    """One client that does not read."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.is_resynced = False
        self.told = asyncio.Event()
        super().__init__(on_event=lambda *_: None, on_lost=lambda _: self.told.set())

    async def fall_asleep(self, hub_url: str) -> None:
        """Connect, subscribe, and read nothing from now on."""
        await self.open(hub_url, {"token": self._listener.token})
        for topic in self._listener.topics:
            await subscribe(self, topic)
        self.pause()

    def _event(self, text: bytes) -> None:
        if text.startswith(RESYNC, text.index(b"[")):
            self.is_resynced = True
            self.told.set()


async def sleep_in(task: Sleepers) -> None:
    """Fall asleep, wake up, tell."""
    sleepers = [Sleeper(listener) for listener in task.listeners]
    for at in range(0, len(sleepers), SLEEPERS_AT_ONCE):
        await asyncio.gather(*(each.fall_asleep(task.hub_url) for each in sleepers[at : at + SLEEPERS_AT_ONCE]))
    say("ready")
    await hear()
    for each in sleepers:
        each.resume()
    await asyncio.wait([asyncio.ensure_future(each.told.wait()) for each in sleepers], timeout=AWAKE_SECONDS)
    resynced = sum(each.is_resynced for each in sleepers)
    closed = sum(each.is_lost and not each.is_resynced for each in sleepers)
    told = Awake(resynced=resynced, closed=closed, untold=len(sleepers) - resynced - closed)
    say(msgspec.json.encode(told).decode())


def main() -> None:
    """The process."""
    uvloop.run(sleep_in(task_of(Sleepers)))


if __name__ == "__main__":
    main()
