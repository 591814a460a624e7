"""Independent subscribers: they do nothing but listen, count every breach of the promises, and measure the delay.

Each observed topic is followed by several sockets, which the operating system spreads over the hub's workers. At the
end the *fence* asks for a fresh snapshot of every topic: an observer that does not come up to its offset has lost
something, and at the same offset the folded rows must be those of the snapshot.
"""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

from hub.client.errors import AskRefused
from hub.client.fold import Change, Tally, TopicFold
from hub.client.live import Live, Watchers

TOPICS_OF_A_SOCKET = 16
MOST_SAMPLES = 500_000
FENCE_TIMEOUT_SECONDS = 45.0
FENCE_TRIES = 5


@dataclass(slots=True)
class Delays:
    """Milliseconds from the database's time of a change to its receipt on this host: a bounded random sample."""

    samples: array[float] = field(default_factory=lambda: array("d"))
    count: int = 0

    def add(self, milliseconds: float) -> None:
        """Take one delay; beyond the bound it replaces a random one with the right probability (Vitter's R)."""
        self.count += 1
        if len(self.samples) < MOST_SAMPLES:
            self.samples.append(milliseconds)
        elif (place := random.randrange(self.count)) < MOST_SAMPLES:
            self.samples[place] = milliseconds

    def percentiles(self, *, latest: int = MOST_SAMPLES) -> dict[str, float] | None:
        """p50 and p99 in milliseconds, of the latest samples only if so wanted; None before the first change."""
        if not self.samples:
            return None
        ordered = sorted(self.samples[-latest:])
        last = len(ordered) - 1
        return {name: round(ordered[round(last * share)], 2) for name, share in (("p50", 0.5), ("p99", 0.99))}


@dataclass(slots=True)
class Observers:
    """`copies` sockets for each group of topics; use as `async with`."""

    hub_url: str
    token: Callable[[], str]
    topics: tuple[str, ...]
    copies: int = 2
    fence_seconds: float = FENCE_TIMEOUT_SECONDS
    delays: Delays = field(default_factory=Delays)
    received: int = 0
    refused: list[str] = field(default_factory=list)
    _lives: list[Live] = field(default_factory=list)
    _starts: dict[str, tuple[int | str | None, int]] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        groups = [self.topics[at : at + TOPICS_OF_A_SOCKET] for at in range(0, len(self.topics), TOPICS_OF_A_SOCKET)]
        for group in groups:
            for _ in range(self.copies):
                live = await self._stack.enter_async_context(self._live(Watchers(on_change=self._changed)))
                self._lives.append(live)
                for topic in group:
                    await self._follow(live, topic)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def tally(self) -> Tally:
        """The counts of all observers together."""
        total = Tally()
        for live in self._lives:
            total += live.tally()
        return total

    @property
    def connects(self) -> int:
        """How often a socket joined; beyond the number of sockets they are reconnections."""
        return sum(live.connects for live in self._lives)

    @property
    def repairs(self) -> int:
        """How often a head frame showed an observer that it was behind, or the hub asked for a resync."""
        return sum(live.behind_heads + live.resyncs for live in self._lives)

    def committed(self) -> int:
        """Changes of the observed topics since the start, each topic once, by the highest head any observer knows."""
        folds: dict[str, TopicFold] = {}
        for live in self._lives:
            for fold in live.folds:
                if fold.topic not in folds or fold.offset > folds[fold.topic].offset:
                    folds[fold.topic] = fold
        total = 0
        for topic, fold in folds.items():
            epoch, offset = self._starts[topic]
            total += fold.offset - (offset if fold.epoch == epoch else 0)
        return total

    async def fence(self) -> None:
        """Wait until every observer has reached the head of its topics; what does not come is counted as lost."""
        async with self._live(Watchers()) as fresh:
            for topic in self._starts:
                for _ in range(FENCE_TRIES):
                    head = await asyncio.wait_for(fresh.subscribe(topic), self.fence_seconds)
                    await fresh.unsubscribe(topic)
                    compared = [await self._reach(fold, head) for fold in self._folds(topic)]
                    if all(compared):
                        break

    def _folds(self, topic: str) -> list[TopicFold]:
        return [fold for live in self._lives for fold in live.folds if fold.topic == topic]

    async def _reach(self, fold: TopicFold, head: TopicFold) -> bool:
        """True once the fold was compared with the snapshot at the same offset; False when it has gone on since."""
        live = next(live for live in self._lives if fold in live.folds)

        def is_there() -> bool:
            return fold.epoch == head.epoch and fold.resume_offset >= head.offset

        try:
            await live.until(is_there, timeout_seconds=self.fence_seconds)
        except TimeoutError:
            if fold.epoch != head.epoch:
                fold.tally.mixed_epochs += 1
            fold.reach(head.offset)
            return True
        if fold.offset != head.offset:
            return False
        fold.tally.mismatched += fold.versions() != head.versions()
        return True

    def _live(self, watchers: Watchers) -> Live:
        return Live(self.hub_url, lambda: {"token": self.token()}, watchers=watchers)

    async def _follow(self, live: Live, topic: str) -> None:
        try:
            fold = await live.subscribe(topic)
        except AskRefused as refusal:
            self.refused.append(f"{topic}: {refusal.code}")
            return
        self._starts.setdefault(topic, (fold.epoch, fold.offset))

    def _changed(self, fold: TopicFold, change: Change) -> None:
        self.received += 1
        if change.at is not None:
            self.delays.add((time.time() - datetime.fromisoformat(change.at).timestamp()) * 1000)
