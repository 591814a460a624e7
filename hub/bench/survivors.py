"""A process of clients that come back: each follows one topic, resumes it after every loss, and counts its offsets.

`python -m hub.bench.survivors`: one JSON line of `Flock` on standard input, `ready` once all have subscribed. Commands:
`brace` (`braced`: the next loss is the storm), `resume` (the monotonic seconds at which the last one had resumed after
it), `settle` (the `Outcome`: everybody is at the database's head, or has been waited for).
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time

import msgspec
import uvloop

from hub.bench.talk import say, task_of
from hub.client.errors import AskRefused, ConnectRefused, SocketLost
from hub.client.socket import Socket

JOINING_AT_ONCE = 50
# Where all come back in the same moment nobody gets in; a browser's socket.io-client spreads 0.5 to 1.5 s.
SPREAD_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
SETTLE_SECONDS = 20.0
CHANGE = b'["change",'


class Flock(msgspec.Struct, frozen=True, kw_only=True):
    """How many clients, and what they follow, one topic each."""

    hub_url: str
    token: str
    topics: list[str]
    clients: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of them. `changes` is by how much the heads of the topics rose since all had subscribed."""

    lost: int
    duplicated: int
    snapshots: int
    changes: int


class Place(msgspec.Struct, frozen=True):
    """Where a change stands in its topic."""

    epoch: int
    offset: int


_PLACE = msgspec.json.Decoder(tuple[str, Place])


class Ear(Socket):
    """One session of a survivor."""

    def __init__(self, owner: Survivor) -> None:
        self._owner = owner
        super().__init__(on_event=lambda *_: None, on_lost=lambda _: owner.lost_socket())

    def _event(self, text: bytes) -> None:
        start = text.index(b"[")
        if text.startswith(CHANGE, start):
            self._owner.heard(_PLACE.decode(text[start:])[1])


class Survivor:
    """One client: where it stands in its topic, and what it found wrong on the way."""

    __slots__ = (
        "_early",
        "_flock",
        "duplicated",
        "epoch",
        "lost",
        "offset",
        "resumed_at",
        "snapshots",
        "task",
        "topic",
    )

    def __init__(self, flock: Flock, topic: str) -> None:
        self._flock = flock
        self._early: list[Place] | None = None
        self.topic = topic
        self.epoch, self.offset = -1, -1
        self.lost, self.duplicated, self.snapshots = 0, 0, -1
        self.resumed_at: float | None = None
        self.task: asyncio.Task[None] | None = None

    def heard(self, place: Place) -> None:
        """Take a live change; one that comes before the answer to a subscribe waits for it."""
        if self._early is not None:
            self._early.append(place)
        else:
            self._count(place)

    def lost_socket(self) -> None:
        """Come back."""
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self.come(SPREAD_SECONDS))

    async def come(self, spread_seconds: float) -> None:
        """Connect and subscribe from where it stands; again until it is in, or the storm's patience is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(random.uniform(0, spread_seconds))
            socket = Ear(self)
            try:
                await socket.open(self._flock.hub_url, {"token": self._flock.token})
                await self._subscribe(socket)
            except (OSError, TimeoutError, SocketLost, ConnectRefused, AskRefused):
                socket.abort()
                spread_seconds = 2 * SPREAD_SECONDS
            else:
                self.resumed_at = time.monotonic()
                return

    async def _subscribe(self, socket: Socket) -> None:
        self._early = []
        place = {} if self.epoch < 0 else {"epoch": self.epoch, "offset": self.offset}
        answer = await socket.ask("subscribe", {"topic": self.topic, **place})
        pages = [answer]
        while pages[-1].get("more"):
            pages.append(await socket.ask("subscribe", {"topic": self.topic, "page": len(pages)}))
        if answer["recovered"]:
            for change in (change for page in pages for change in page["changes"]):
                self._count(Place(change["epoch"], change["offset"]))
            self.lost += answer["offset"] - self.offset
        else:
            self.snapshots += 1
        self.epoch, self.offset = answer["epoch"], answer["offset"]
        early, self._early = self._early or [], None
        for each in early:
            self._count(each)

    def _count(self, place: Place) -> None:
        if place.epoch != self.epoch or place.offset <= self.offset:
            self.duplicated += 1
            return
        self.lost += place.offset - self.offset - 1
        self.offset = place.offset


class Survivors:
    """All of them."""

    def __init__(self, flock: Flock) -> None:
        self._flock = flock
        self._all = [Survivor(flock, flock.topics[number % len(flock.topics)]) for number in range(flock.clients)]
        self._first_heads: dict[str, int] = {}

    async def gather(self) -> None:
        """Let all of them subscribe."""
        for at in range(0, len(self._all), JOINING_AT_ONCE):
            await asyncio.gather(*(each.come(0.0) for each in self._all[at : at + JOINING_AT_ONCE]))
        for each in self._all:
            self._first_heads[each.topic] = each.offset

    def brace(self) -> str:
        """Who has resumed is counted from here."""
        for each in self._all:
            each.resumed_at = None
        return "braced"

    async def resume(self) -> str:
        """When the last one was back."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(each.resumed_at is None for each in self._all) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return str(max(each.resumed_at or deadline for each in self._all))

    async def settle(self) -> str:
        """Wait until everybody stands where a newcomer is put; the count."""
        heads = {}
        for topic in self._flock.topics:
            newcomer = Survivor(self._flock, topic)
            await newcomer.come(0.0)
            heads[topic] = newcomer.offset
        deadline = time.monotonic() + SETTLE_SECONDS
        while any(each.offset < heads[each.topic] for each in self._all) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        outcome = Outcome(
            lost=sum(each.lost + max(0, heads[each.topic] - each.offset) for each in self._all),
            duplicated=sum(each.duplicated for each in self._all),
            snapshots=sum(each.snapshots for each in self._all),
            changes=sum(heads[topic] - first for topic, first in self._first_heads.items()),
        )
        return msgspec.json.encode(outcome).decode()


async def survive(flock: Flock) -> None:
    """Subscribe all, then obey."""
    survivors = Survivors(flock)
    await survivors.gather()
    gc.collect()
    gc.freeze()
    say("ready")
    while command := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if command == "brace":
            say(survivors.brace())
        else:
            say(await (survivors.resume() if command == "resume" else survivors.settle()))


if __name__ == "__main__":
    uvloop.run(survive(task_of(Flock)))
