"""The live hub of one worker: its Socket.IO handlers, and everything that must run beside them.

connect ─► who is it? ─► sockets          stream ─► reader ─► fanout ─► the same bytes to every client
subscribe ─► subscriptions                a change of authority ─► sockets, authority      heads every 5 s
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import orjson
from redis.asyncio import Redis
from socketio.exceptions import ConnectionRefusedError as SocketRefused

from db.connection import DATABASE_AWAY, Database
from hub.domain.errors import Refusal
from hub.domain.roles import Permission, may_anywhere
from hub.gateway.authority import Authority
from hub.gateway.points import MOST_POINTS, Point
from hub.gateway.tokens import KeyRing, Verified
from hub.observability import logs
from hub.realtime.boards import watch_boards
from hub.realtime.changes import Change
from hub.realtime.endings import end_all, for_ever
from hub.realtime.engine import LiveServer
from hub.realtime.fanout import Fanout
from hub.realtime.heads import ProductClock, tell_heads
from hub.realtime.identity import Arrival, Identification
from hub.realtime.log import LogReader
from hub.realtime.occupancy import Occupancy
from hub.realtime.positions import PositionFeed, PositionIntake
from hub.realtime.presence import Presence
from hub.realtime.sockets import LiveSocket, SocketLimits, Sockets, expire_sockets, owner_of
from hub.realtime.subscriptions import Subscriptions, refusal

LOG = logs.get(__name__)
DRAIN_SPREAD_MILLISECONDS = 2_000
DRAIN_SLICE = 500
# Changes of these entities may close topics.
AUTHORITY = ("grant", "session", "user")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """What the hub must be told. `redis_url` is used for the raw reader."""

    redis_url: str
    ring_changes: int
    socket_limits: SocketLimits


class LiveHub:
    """The live part of one worker. `start` it before the first client, `stop` it after the last."""

    def __init__(
        self,
        *,
        server: LiveServer,
        database: Database,
        redis: Redis,
        authority: Authority,
        keys: KeyRing,
        settings: LiveSettings,
    ) -> None:
        self._server = server
        self._database, self._redis = database, redis
        self._authority = authority
        self._identification = Identification(database=database, authority=authority, verified=Verified(keys))
        self._tasks: list[asyncio.Task[None]] = []
        self.fanout = Fanout(ring_changes=settings.ring_changes)
        self.sockets = Sockets(self.fanout, settings.socket_limits)
        self.occupancy = Occupancy(settings.redis_url, settings.socket_limits)
        self.clock = ProductClock(database)
        self.reader = LogReader(
            database=database, redis_url=settings.redis_url, deliver=self.fanout.deliver, renew=self.fanout.renew
        )
        self.subscriptions = Subscriptions(
            database=database,
            fanout=self.fanout,
            reader=self.reader,
            sockets=self.sockets,
            waiting_events=server.waiting_events,
        )
        self.intake = PositionIntake(database=database, redis=redis, clock=self.clock)
        self.feed = PositionFeed(database=database, redis=redis, fanout=self.fanout)
        self.presence = Presence(redis=redis, fanout=self.fanout)
        self._register()

    async def start(self) -> None:
        """Take the place in the log, then run beside the handlers."""
        await self.reader.start()
        await self.clock.read()
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "reader": self.reader.run,
            "heads": partial(tell_heads, clock=self.clock, fanout=self.fanout, sockets=self.sockets, left=[]),
            "expiry": partial(expire_sockets, self.sockets, []),
            "positions": self.feed.run,
            "presence": self.presence.run,
            "occupancy": self.occupancy.run,
            "boards": partial(watch_boards, self._database, self._redis),
        }
        self._tasks = [asyncio.create_task(for_ever(name, run)) for name, run in loops.items()]

    async def stop(self) -> None:
        """End everything that runs beside the handlers."""
        await end_all(self._tasks)
        await self.subscriptions.stop()
        await self.presence.leave()
        await self.occupancy.leave()

    def drained(self, sid: str) -> None:
        """A slow client has caught up."""
        client = self._server.connection(sid)
        if client is not None:
            self.fanout.drained(sid, client)

    async def drain(self) -> None:
        """The worker is going away: tell every client to come back elsewhere, at moments that are spread out."""
        for number, socket in enumerate(list(self.sockets.by_sid.values())):
            spread = secrets.randbelow(DRAIN_SPREAD_MILLISECONDS)
            socket.tell("draining", b'{"reconnect_in_ms":%d}' % spread)
            if number % DRAIN_SLICE == DRAIN_SLICE - 1:
                await asyncio.sleep(0)

    def _authority_changed(self, change: Change) -> None:
        for name, _, _ in change.places:
            self._authority.forget(name.partition(":")[2])
        self.sockets.apply(change)

    def _register(self) -> None:
        self.fanout.hear(AUTHORITY, self._authority_changed)
        self.fanout.hear(("delivery",), self.feed.apply)
        on = self._server.on
        on("connect", self._connect)
        on("disconnect", self._disconnect)
        on("subscribe", self._on_socket(self.subscriptions.subscribe))
        on("unsubscribe", self._on_socket(self._unsubscribe))
        on("authenticate", self._on_socket(self._authenticate))
        on("position", self._on_socket(self._position))
        on("seen", self._on_socket(self._seen))

    def _on_socket(self, handler: Callable[[LiveSocket, Any], Awaitable[dict[str, Any]]]) -> Callable[..., Any]:
        async def handle(sid: str, payload: Any = None) -> dict[str, Any]:
            socket = self.sockets.by_sid.get(sid)
            if socket is None:
                return refusal("forbidden", "this socket is closed")
            return await handler(socket, payload)

        return handle

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        address = str(environ["REMOTE_ADDR"])
        if self.occupancy.is_full_at(address):
            raise _too_many("address")
        try:
            who = await self._identification.of(auth)
            owner = owner_of(who)
            if (full := await self.occupancy.take(owner, address)) is not None:
                raise _too_many(full)
            is_in = False
            try:
                is_in = await self._enter(sid, address, who)
            finally:
                if not is_in:
                    self.occupancy.give_back(owner, address)
        except Refusal as refused:
            raise SocketRefused(refused.detail, {"code": refused.code}) from refused
        except DATABASE_AWAY as error:
            raise SocketRefused("the database is away for a moment: try again", {"code": "unavailable"}) from error

    async def _enter(self, sid: str, address: str, who: Arrival) -> bool:
        """Let a counted socket in; False when it is gone. Its authority is read last: nothing comes between."""
        principal = await self._identification.principal(who)
        client = self._server.connection(sid)
        if client is None:
            return False
        socket = LiveSocket(sid, client, principal, address, device_id=who.device_id)
        socket.grants = dict(self._authority.grants_of(principal.person_id, principal.session_id))
        socket.standing = self._authority.standing_of(principal.person_id, principal.session_id)
        self.sockets.add(socket)
        return True

    async def _disconnect(self, sid: str, reason: str = "") -> None:
        socket = self.sockets.remove(sid)
        if socket is not None:
            self.occupancy.give_back(socket.owner, socket.address)
        self.subscriptions.forget(sid)

    async def _unsubscribe(self, socket: LiveSocket, payload: Any) -> dict[str, Any]:
        return self.subscriptions.unsubscribe(socket, payload)

    async def _authenticate(self, socket: LiveSocket, payload: Any) -> dict[str, Any]:
        if not isinstance(payload, dict) or not isinstance(payload.get("token"), str):
            return refusal("bad_request", "the payload must be {token}")
        try:
            principal = await self._identification.again(socket, payload["token"])
        except Refusal as refused:
            return refusal(refused.code, refused.detail)
        who = principal.person_id, principal.session_id
        self.sockets.become(socket, principal, self._authority.grants_of(*who), self._authority.standing_of(*who))
        return {"ok": True, "expires_at": principal.expires_at}

    async def _position(self, socket: LiveSocket, payload: Any) -> dict[str, Any]:
        if not may_anywhere(socket.principal, Permission.POSITION_SEND):
            return refusal("forbidden", "only riders send positions")
        try:
            points = msgspec.convert(payload["points"], list[Point], strict=True)
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            return refusal("bad_request", f"the payload must be {{points: […]}}: {error}")
        if len(points) > MOST_POINTS:
            return refusal("bad_request", f"at most {MOST_POINTS} points at once")
        return {"ok": True, **await self.intake.take(socket.principal.person_id, points)}

    async def _seen(self, socket: LiveSocket, payload: Any) -> dict[str, Any]:
        known = {"topic", "entity", "id", "version"}
        if not isinstance(payload, dict) or payload.keys() != known or payload["topic"] not in socket.follows:
            return refusal("bad_request", "the payload must be {topic, entity, id, version} of a topic you follow")
        LOG.info("seen", actor=socket.principal.person_id, shown=orjson.dumps(payload).decode()[:200])
        return {"ok": True}


def _too_many(whose: str) -> SocketRefused:
    return SocketRefused(f"this {whose} has too many connections: close one first", {"code": "too_many_connections"})
