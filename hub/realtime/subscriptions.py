"""Subscribe: registration first, then what was missed or the present state, then everything that follows.

    join (buffering) ─► replay or snapshot at offset v ─► the worker has passed v ─► answer ─► offsets > v ─► live

Invariant: no gap and no repeat between the answer and the first change after it. The answer leaves in the same step of
the event loop in which the handler returns; `go_live` runs in a later one, so nothing can overtake the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from db.connection import DATABASE_AWAY, Database
from hub.domain.roles import Principal
from hub.domain.topics import Topic, parse_topic
from hub.gateway.access import Access, access_to
from hub.observability import logs, metrics
from hub.realtime.fanout import Fanout, resync_packet
from hub.realtime.log import LogReader
from hub.realtime.present import Present, paged
from hub.realtime.readings import Readings
from hub.realtime.sockets import LiveSocket, Sockets
from hub.realtime.topic_state import TopicState

LOG = logs.get(__name__)
MOST_TOPICS = 200
PATIENCE_SECONDS = 10.0
PAGES_SECONDS = 60.0
# Of large answers under way to one socket; one of any length is always let through.
MOST_PAGED_BYTES = 4 * 1024 * 1024
LARGEST_NUMBER = 2**63 - 1


# sid ─► name and arguments of what the client has sent and nobody handled yet
WaitingEvents = Callable[[str], Iterator[list[Any]]]


class SubscribeRefused(Exception):
    """An answer of `{ok: false, error: {code, message, …}}`."""

    def __init__(self, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


def refusal(code: str, message: str, **fields: Any) -> dict[str, Any]:
    """The acknowledgement that says no."""
    return {"ok": False, "error": {"code": code, "message": message, **fields}}


@dataclass(slots=True, kw_only=True)
class Pages:
    """A large answer that the client takes page by page; the join buffers meanwhile."""

    present: Present
    expiry: asyncio.TimerHandle


class Subscriptions:
    """The handlers of `subscribe` and `unsubscribe` for one worker."""

    def __init__(
        self, *, database: Database, fanout: Fanout, reader: LogReader, sockets: Sockets, waiting_events: WaitingEvents
    ) -> None:
        self._database = database
        self._readings = Readings(database)
        self._fanout = fanout
        self._reader = reader
        self._sockets = sockets
        self._waiting_events = waiting_events
        self._pages: dict[str, dict[str, Pages]] = {}

    @property
    def paged_bytes(self) -> int:
        """What is held of large answers, however many share it."""
        held = {id(one.present): one.present for pages in self._pages.values() for one in pages.values()}
        return sum(present.size_bytes for present in held.values())

    async def subscribe(self, socket: LiveSocket, payload: Any) -> dict[str, Any]:
        """Answer a `subscribe` as PROTOCOL says; never raises."""
        try:
            topic = _topic(payload)
            answer = await self._subscribe(socket, topic, payload)
        except SubscribeRefused as refused:
            metrics.SUBSCRIPTIONS.labels("any", refused.code).inc()
            return refusal(refused.code, str(refused), **refused.fields)
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            LOG.info("a subscribe met an absent database", error=str(error))
            return refusal("unavailable", "the database is away for a moment: subscribe again", retry_after=1)
        metrics.SUBSCRIPTIONS.labels(topic.kind, "recovered" if answer["recovered"] else "snapshot").inc()
        return answer

    def unsubscribe(self, socket: LiveSocket, payload: Any) -> dict[str, Any]:
        """Answer an `unsubscribe`; ending what was never followed is fine too."""
        try:
            topic = _topic(payload)
        except SubscribeRefused as refused:
            return refusal(refused.code, str(refused))
        socket.follows.pop(str(topic), None)
        self._drop_pages(socket.sid, str(topic))
        self._fanout.leave(str(topic), socket.sid)
        return {"ok": True}

    async def stop(self) -> None:
        """End what is being read."""
        await self._readings.stop()

    def forget(self, sid: str) -> None:
        """The socket is gone."""
        for name in list(self._pages.get(sid, ())):
            self._drop_pages(sid, name)

    async def _subscribe(self, socket: LiveSocket, topic: Topic, payload: dict[str, Any]) -> dict[str, Any]:
        name = str(topic)
        page = _number(payload, "page")
        if page is not None:
            return self._next_page(socket, topic, page)
        if len(socket.follows) >= MOST_TOPICS and name not in socket.follows:
            raise SubscribeRefused("too_many_topics", f"one socket follows at most {MOST_TOPICS} topics")
        self._check_newest(socket, name)
        self._drop_pages(socket.sid, name)
        access = await self._access(topic, socket.principal)
        if not access.is_open_to(socket.principal):
            raise SubscribeRefused("forbidden", "you may not follow this topic")
        if socket.sid not in self._sockets.by_sid:
            raise SubscribeRefused("forbidden", "this socket is closed")
        state = self._fanout.topic(name, topic.kind)
        if socket.principal.order_id is None:
            state.access = access
        self._fanout.join(state, socket.sid)
        socket.follows[name] = access
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._answer(socket, state, topic, payload)
        except TimeoutError:
            self._abandon(socket, name)
            raise SubscribeRefused("unavailable", "the hub is behind: subscribe again") from None
        except BaseException:
            self._abandon(socket, name)
            raise

    def _check_newest(self, socket: LiveSocket, name: str) -> None:
        """Raise when the client has asked anew for the same topic meanwhile: it waits for that answer, not this one."""
        for event, *arguments in self._waiting_events(socket.sid):
            asked = arguments[0] if event == "subscribe" and arguments else None
            if isinstance(asked, dict) and asked.get("topic") == name and asked.get("page") is None:
                raise SubscribeRefused("superseded", "a newer subscribe to this topic came")

    async def _access(self, topic: Topic, principal: Principal) -> Access:
        """What following a topic takes; no statement where a client of this worker follows it already."""
        state = self._fanout.topics.get(str(topic))
        if principal.order_id is None and state is not None and state.access is not None:
            return state.access
        return await access_to(self._database, topic, principal)

    async def _answer(
        self, socket: LiveSocket, state: TopicState, topic: Topic, payload: dict[str, Any]
    ) -> dict[str, Any]:
        epoch, offset = _number(payload, "epoch"), _number(payload, "offset")
        present = self._from_ring(state, epoch, offset)
        if present is None:
            reading = await self._readings.read(topic, epoch=epoch, offset=offset)
            present = reading.present
            self._check_newest(socket, state.name)
            await self._reader.passed(reading.pos)
            if present.is_recovered and present.epoch == self._reader.epoch and offset is not None:
                state.reach_back(offset, reading.changes)
        if present.epoch != self._reader.epoch:
            raise SubscribeRefused("unavailable", "history is being replaced: subscribe again")
        if socket.follows.get(state.name) is None:
            raise SubscribeRefused("forbidden", "you may not follow this topic")
        if len(present.pages) > 1:
            self._keep_pages(socket, state.name, present)
        else:
            self._follow_soon(socket, state, present.offset)
        return _page(state.name, present, 0)

    def _from_ring(self, state: TopicState, epoch: int | None, offset: int | None) -> Present | None:
        """What was missed, from memory; None when the ring does not reach back."""
        items = state.since(offset) if epoch == self._reader.epoch and offset is not None else None
        if items is None or offset is None:
            return None
        return Present(epoch=self._reader.epoch, offset=offset + len(items), is_recovered=True, pages=paged(items))

    def _keep_pages(self, socket: LiveSocket, name: str, present: Present) -> None:
        """Hold a large answer until its last page is taken.

        Beside others of the socket it may have to wait, and the client asks again: were it to end them instead, two
        topics that a client asks for at once would end each other for ever.
        """
        held = self._pages.setdefault(socket.sid, {})
        if held and sum(one.present.size_bytes for one in held.values()) + present.size_bytes > MOST_PAGED_BYTES:
            raise SubscribeRefused("rate_limited", "take the pages of the other topics first", retry_after=1)
        expiry = asyncio.get_running_loop().call_later(PAGES_SECONDS, self._abandon, socket, name)
        held[name] = Pages(present=present, expiry=expiry)

    def _next_page(self, socket: LiveSocket, topic: Topic, page: int) -> dict[str, Any]:
        name = str(topic)
        waiting = self._pages.get(socket.sid, {}).get(name)
        state = self._fanout.topics.get(name)
        if waiting is None or state is None or not 0 < page < len(waiting.present.pages):
            raise SubscribeRefused("bad_request", "there is no such page: subscribe without `page`")
        if name not in socket.follows:
            self._drop_pages(socket.sid, name)
            raise SubscribeRefused("forbidden", "you may not follow this topic")
        answer = _page(name, waiting.present, page)
        if "more" not in answer:
            self._drop_pages(socket.sid, name)
            self._follow_soon(socket, state, waiting.present.offset)
        return answer

    def _follow_soon(self, socket: LiveSocket, state: TopicState, offset: int) -> None:
        """Go live in the next step of the loop: the answer leaves in this one."""
        asyncio.get_running_loop().call_soon(self._follow, socket, state, offset)

    def _follow(self, socket: LiveSocket, state: TopicState, offset: int) -> None:
        if state.name in socket.follows and not self._fanout.go_live(state, socket.sid, socket.client, after=offset):
            socket.client.answer(resync_packet(state.name))

    def _abandon(self, socket: LiveSocket, name: str) -> None:
        self._drop_pages(socket.sid, name)
        socket.follows.pop(name, None)
        self._fanout.leave(name, socket.sid)

    def _drop_pages(self, sid: str, name: str) -> None:
        held = self._pages.get(sid, {})
        waiting = held.pop(name, None)
        if waiting is not None:
            waiting.expiry.cancel()
        if not held:
            self._pages.pop(sid, None)


def _page(name: str, present: Present, page: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "ok": True, "topic": name, "epoch": present.epoch, "offset": present.offset, "recovered": present.is_recovered,
    }  # fmt: skip
    items = orjson.Fragment(present.pages[page])
    if present.is_recovered:
        answer["changes"] = items
    else:
        answer |= {"rows": items, "gone": present.gone if page == 0 else []}
    if page + 1 < len(present.pages):
        answer["more"] = True
    return answer


def _topic(payload: Any) -> Topic:
    if not isinstance(payload, dict):
        raise SubscribeRefused("bad_request", "the payload must be an object: {topic, epoch?, offset?}")
    if payload.keys() - {"topic", "epoch", "offset", "page"}:
        raise SubscribeRefused("bad_request", "unknown field: only topic, epoch, offset and page are known")
    topic = parse_topic(payload.get("topic"))
    if topic is None:
        raise SubscribeRefused("bad_request", "`topic` is not the name of a topic")
    return topic


def _number(payload: dict[str, Any], name: str) -> int | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise SubscribeRefused("bad_request", f"`{name}` must be a whole number from 0 on")
    return value
