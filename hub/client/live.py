"""Topics kept up to date for ever: one socket, many subscriptions, resumed by epoch and offset after every loss.

    wanted ──socket joined──► asking ──acknowledged──► live ──gap, resync, behind a head──► asking
      ▲                                                  │
      └──────────────────── socket lost ─────────────────┘

Frames of a topic that is being asked for wait for the answer, which may share a segment with them: what it contains
is left out, the rest follows. `Live` owns one task; leave the `async with` block to end it. Whoever reads a `TopicFold`
may do so at any moment: it is only changed between awaits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from hub.client.clock import ProductClock
from hub.client.errors import AskRefused, ConnectRefused, SocketLost
from hub.client.fold import Change, Present, Row, Tally, TopicFold
from hub.client.frames import CHANGE, DRAINING, HEAD, NAMED, Head
from hub.client.socket import Socket, open_socket

SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
MOST_PAGES = 10_000
MOST_WAITING = 20_000  # changes of one topic while its answer is on the way; beyond it the question is asked anew
Auth = Callable[[], dict[str, str]]
T = TypeVar("T")


@dataclass(slots=True)
class _Subscription:
    fold: TopicFold
    is_live: bool = False
    asked: int = 0
    waiting: list[Change] = field(default_factory=list)
    settled: asyncio.Future[None] | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True, kw_only=True)
class Watchers:
    """What a caller wants to be told, from the event loop, right after the fold has taken it in.

    `on_change(fold, change)` for every applied live change; `on_row(fold, entity, row)` for every row that is put,
    by snapshot, replay or change; `on_positions(payload)` for rider positions.
    """

    on_change: Callable[[TopicFold, Change], None] | None = None
    on_row: Callable[[TopicFold, str, Row], None] | None = None
    on_positions: Callable[[dict[str, Any]], None] | None = None


@dataclass(slots=True)
class Live:
    """One person's live connection. `auth()` gives the connect payload anew for every connection."""

    hub_url: str
    auth: Auth
    watchers: Watchers = field(default_factory=Watchers)
    clock: ProductClock | None = None
    connects: int = 0
    resyncs: int = 0
    behind_heads: int = 0
    _topics: dict[str, _Subscription] = field(default_factory=dict)
    _ended: Tally = field(default_factory=Tally)
    _socket: Socket | None = None
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = field(default_factory=list)
    _owner: asyncio.Task[None] | None = None
    _renewal: asyncio.Task[None] | None = None
    _rest_seconds: float = 0.0

    async def __aenter__(self) -> Self:
        self._owner = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [self._owner, self._renewal, *(one.task for one in self._topics.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    @property
    def is_connected(self) -> bool:
        """True while a joined socket is there."""
        return self._socket is not None and not self._socket.is_lost

    @property
    def folds(self) -> list[TopicFold]:
        """The folds of every subscribed topic."""
        return [one.fold for one in self._topics.values()]

    def tally(self) -> Tally:
        """The counts of all topics together, those that were left included."""
        total = Tally()
        total += self._ended
        for fold in self.folds:
            total += fold.tally
        return total

    async def subscribe(self, topic: str) -> TopicFold:
        """Keep `topic` up to date from now on; returns its fold once the first state is there.

        Raises `AskRefused` when the hub refuses the topic (it is then not kept).
        """
        if topic not in self._topics:
            self._topics[topic] = _Subscription(TopicFold(topic), settled=asyncio.get_running_loop().create_future())
            self._ask(topic)
        one = self._topics[topic]
        if one.settled is not None:
            await asyncio.shield(one.settled)
        return one.fold

    async def unsubscribe(self, topic: str) -> None:
        """Stop keeping `topic`."""
        one = self._topics.pop(topic, None)
        if one is None:
            return
        self._ended += one.fold.tally
        if one.task is not None:
            one.task.cancel()
        if self._socket is not None and not self._socket.is_lost:
            try:
                await self._socket.ask("unsubscribe", {"topic": topic})
            except (AskRefused, SocketLost):
                return

    async def until(self, fact: Callable[[], T], *, timeout_seconds: float | None = None) -> T:
        """The first truthy value of `fact()`, looked at now and after every frame. Raises `TimeoutError`."""
        if value := fact():
            return value
        found: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        entry = (fact, found)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await found
        finally:
            self._waiting.remove(entry)

    async def ask(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send an event over the present socket. Raises `AskRefused` or `SocketLost`."""
        if self._socket is None:
            raise SocketLost(f"no socket for {event}")
        return await self._socket.ask(event, payload)

    async def send_positions(self, points: list[dict[str, Any]]) -> dict[str, Any]:
        """Send a rider's positions: the latest is what counts, so they are not repeated after a loss."""
        return await self.ask("position", {"points": points})

    async def _keep(self) -> None:
        """Connect, wait for the loss, connect again: for ever, with jitter, ever slower while the hub is away."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            self._gone.clear()
            try:
                self._socket = await open_socket(
                    self.hub_url, self.auth(), on_event=self._event, on_lost=lambda _: self._gone.set()
                )
            except (OSError, TimeoutError, SocketLost, ConnectRefused):
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                pause = SHORTEST_PAUSE_SECONDS
                self.connects += 1
                for topic in list(self._topics):
                    self._ask(topic)
                await self._gone.wait()
                for one in self._topics.values():
                    one.is_live = False
            self._look()
            await asyncio.sleep(self._rest_seconds + pause * (0.5 + random.random()))
            self._rest_seconds = 0.0

    def _ask(self, topic: str) -> None:
        """Ask for a topic on the present socket; supersedes what was asked before."""
        one = self._topics.get(topic)
        if one is None or not self.is_connected or one.fold.is_revoked:
            return
        one.is_live = False
        one.waiting.clear()
        one.asked += 1
        if one.task is not None:
            one.task.cancel()
        one.task = asyncio.create_task(self._agree(one, one.asked))

    async def _agree(self, one: _Subscription, asked: int) -> None:
        socket = self._socket
        while socket is not None and not socket.is_lost and one.asked == asked:
            try:
                await self._take(socket, one)
            except AskRefused as refusal:
                if refusal.code == "superseded":
                    return
                if refusal.code in ("rate_limited", "unavailable", "internal"):
                    await asyncio.sleep(float(refusal.fields.get("retry_after", 0)) or random.uniform(0.1, 0.4))
                    continue
                self._refuse(one, refusal)
                return
            except SocketLost:
                socket.abort()
                return
            if one.settled is not None and not one.settled.done():
                one.settled.set_result(None)
            self._look()
            return

    async def _take(self, socket: Socket, one: _Subscription) -> None:
        """Ask from where the fold stands and take the whole answer in, page by page."""
        fold = one.fold
        question: dict[str, Any] = {"topic": fold.topic}
        if fold.epoch is not None:
            question |= {"epoch": fold.epoch, "offset": fold.resume_offset}
        answer = await socket.ask("subscribe", question)
        pages = [answer]
        while answer.get("more") and len(pages) < MOST_PAGES:
            answer = await socket.ask("subscribe", {"topic": fold.topic, "page": len(pages)})
            pages.append(answer)
        last = pages[-1]
        if last["recovered"]:
            changes = msgspec.convert([change for page in pages for change in page["changes"]], list[Change])
            fold.replay(last["epoch"], last["offset"], changes)
            put = [(change.entity, change.row) for change in changes if change.op == "put"]
        else:
            rows = msgspec.convert([row for page in pages for row in page["rows"]], list[Present])
            gone = msgspec.convert([row for page in pages for row in page.get("gone", ())], list[Present])
            fold.snapshot(last["epoch"], last["offset"], rows, gone)
            put = [(present.entity, present.row) for present in rows]
        one.is_live = True
        for entity, row in put:
            self._told(fold, entity, row)
        early, one.waiting = one.waiting, []
        for change in early:
            if change.offset > last["offset"]:
                self._changed(change)

    def _refuse(self, one: _Subscription, refusal: AskRefused) -> None:
        if one.settled is not None and not one.settled.done():
            self._topics.pop(one.fold.topic, None)
            one.settled.set_exception(refusal)
        else:
            one.fold.is_revoked = True

    def _event(self, name: str, payload: msgspec.Raw) -> None:
        if name == "change":
            self._changed(CHANGE.decode(payload))
        elif name == "head":
            self._headed(HEAD.decode(payload))
        elif name == "position" and self.watchers.on_positions is not None:
            self.watchers.on_positions(msgspec.json.decode(payload))
        elif name == "resync":
            self.resyncs += 1
            self._ask(NAMED.decode(payload).topic)
        elif name == "revoked":
            one = self._topics.get(NAMED.decode(payload).topic)
            if one is not None:
                one.fold.is_revoked = True
        elif name == "expiring" and self._socket is not None:
            self._renewal = asyncio.create_task(self._authenticate(self._socket))
        elif name == "draining":
            self._rest_seconds = DRAINING.decode(payload).reconnect_in_ms / 1000
        self._look()

    def _changed(self, change: Change) -> None:
        one = self._topics.get(change.topic)
        if one is None:
            return
        if not (one.is_live or one.fold.is_revoked):
            one.waiting.append(change)
            if len(one.waiting) > MOST_WAITING:
                self._ask(change.topic)
            return
        if one.fold.change(change):
            if self.watchers.on_change is not None:
                self.watchers.on_change(one.fold, change)
            if change.op == "put":
                self._told(one.fold, change.entity, change.row)
        if one.fold.has_gap:
            self._ask(change.topic)

    def _headed(self, head: Head) -> None:
        if self.clock is not None:
            self.clock.tell(head.at, head.rate)
        for topic, offset in head.topics.items():
            one = self._topics.get(topic)
            if one is not None and one.is_live and offset is not None:
                one.fold.head = max(one.fold.head, offset)
                if one.fold.offset < offset:
                    self.behind_heads += 1
                    self._ask(topic)

    def _told(self, fold: TopicFold, entity: str, row: Row | None) -> None:
        if row is not None and self.watchers.on_row is not None:
            self.watchers.on_row(fold, entity, row)

    async def _authenticate(self, socket: Socket) -> None:
        try:
            await socket.ask("authenticate", self.auth())
        except (AskRefused, SocketLost):
            socket.abort()

    def _look(self) -> None:
        for fact, found in self._waiting:
            if not found.done() and (value := fact()):
                found.set_result(value)
