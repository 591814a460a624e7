"""The live sockets of one worker: who each one is, and where the topics that it follows belong.

Authority is data: a change of grants, of the session or of the account closes what it closes at its own place in the
total order, synchronously, before any later change is delivered.

Invariant: what a client must know to go on (`revoked`, `expiring`, `draining`, `closing`) is never refused by its
bound: it leaves beside it, behind everything that was queued before.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from hub.domain.roles import Grant, Principal
from hub.gateway.access import Access
from hub.gateway.authority import Standing, read_grant
from hub.observability import logs, metrics
from hub.realtime.changes import Change
from hub.realtime.fanout import Fanout
from hub.realtime.frames import POLICY, event_packet
from hub.realtime.transport import Carrier

LOG = logs.get(__name__)
WARN_SECONDS = 60.0
# How often expiry is looked at; a socket goes at the last look before its grace is over, never after.
LOOK_SECONDS = 1.0
LOOKS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """How many sockets one person (or one tracking link's order) may have, and one address, over all workers.

    And for how long after its token has expired a socket may still send a new one.
    """

    per_principal: int
    per_address: int
    grace_seconds: float


class Named(Protocol):
    """Anybody at the door or inside it."""

    @property
    def person_id(self) -> str:
        """The person; everybody of a tracking link has the same."""
        ...

    @property
    def order_id(self) -> str | None:
        """The order of a tracking link."""
        ...


class LiveSocket:
    """One accepted socket. `expires_at` is in seconds since 1970, None for a tracking link and a tablet's own token.

    `device_id` is the tablet that it belongs to, whoever has switched in; `owner` is whom it counts for, from its
    first moment on; `standing` bounds what grants give here.
    """

    __slots__ = (
        "address", "client", "device_id", "expires_at", "follows", "grants", "is_warned", "owner", "principal", "sid",
        "standing",
    )  # fmt: skip

    def __init__(
        self, sid: str, client: Carrier, principal: Principal, address: str, *, device_id: str | None = None
    ) -> None:
        self.sid = sid
        self.client = client
        self.principal = principal
        self.address = address
        self.device_id = device_id
        self.owner = owner_of(principal)
        self.standing: Standing | None = None
        self.grants: dict[str, Grant] = {}
        self.expires_at = principal.expires_at
        self.is_warned = False
        self.follows: dict[str, Access] = {}

    def tell(self, event: str, json_body: bytes) -> None:
        """Send one of the few events that must arrive, however much the client has left unread."""
        self.client.answer(event_packet(event, json_body))


class Sockets:
    """All live sockets of a worker, by Socket.IO sid and by principal."""

    def __init__(self, fanout: Fanout, limits: SocketLimits) -> None:
        self._fanout = fanout
        self._limits = limits
        self.by_sid: dict[str, LiveSocket] = {}
        self._of_principal: dict[str, set[str]] = {}

    def add(self, socket: LiveSocket) -> None:
        """A socket was accepted."""
        self.by_sid[socket.sid] = socket
        self._index(socket)
        metrics.SOCKETS.set(len(self.by_sid))

    def remove(self, sid: str) -> LiveSocket | None:
        """A socket is gone: O(its own topics). What it was; None when it was not there."""
        self._fanout.leave_all(sid)
        socket = self.by_sid.pop(sid, None)
        if socket is None:
            return None
        self._unindex(socket)
        metrics.SOCKETS.set(len(self.by_sid))
        return socket

    def become(
        self, socket: LiveSocket, principal: Principal, grants: dict[str, Grant], standing: Standing | None
    ) -> None:
        """A live socket has authenticated again, at a tablet perhaps as another person: topics it may not follow go."""
        if socket.sid not in self.by_sid:
            return
        self._unindex(socket)
        socket.principal, socket.grants, socket.standing = principal, dict(grants), standing
        socket.expires_at, socket.is_warned = principal.expires_at, False
        self._index(socket)
        self._recheck(socket, "person")

    def _index(self, socket: LiveSocket) -> None:
        self._of_principal.setdefault(owner_of(socket.principal), set()).add(socket.sid)

    def _unindex(self, socket: LiveSocket) -> None:
        owner = owner_of(socket.principal)
        self._of_principal[owner].discard(socket.sid)
        if not self._of_principal[owner]:
            del self._of_principal[owner]

    def of_person(self, person_id: str) -> list[LiveSocket]:
        """The live sockets of one person."""
        return [self.by_sid[sid] for sid in self._of_principal.get(person_id, ())]

    def apply(self, change: Change) -> None:
        """A change of authority, at its place: close what it closes, now."""
        for name, _, op in change.places:
            word, _, person_id = name.partition(":")
            if word != "user":
                continue
            for socket in self.of_person(person_id):
                if change.entity == "grant":
                    self._regrant(socket, change, op)
                elif change.entity == "user" and (op != "put" or not change.row["is_active"]):
                    self.close(socket, code="auth.disabled", reconnect=False)
                elif (
                    change.entity == "session"
                    and change.entity_id == socket.principal.session_id
                    and (op != "put" or change.row["revoked_at"] is not None)
                ):
                    self.close(socket, code="auth.revoked", reconnect=False)

    def _regrant(self, socket: LiveSocket, change: Change, op: str) -> None:
        grant = read_grant(change.row) if op == "put" else None
        if grant is not None and socket.standing is not None:
            grant = socket.standing.allows(grant)
        if grant is not None:
            socket.grants[change.entity_id] = grant
        else:
            socket.grants.pop(change.entity_id, None)
        socket.principal = replace(socket.principal, grants=tuple(socket.grants.values()))
        self._recheck(socket, "grant")

    def _recheck(self, socket: LiveSocket, reason: str) -> None:
        for topic, access in list(socket.follows.items()):
            if not access.is_open_to(socket.principal):
                del socket.follows[topic]
                self._fanout.leave(topic, socket.sid)
                socket.tell("revoked", orjson.dumps({"topic": topic, "reason": reason}))
                metrics.REVOCATIONS.labels(reason).inc()

    def close(self, socket: LiveSocket, *, code: str, reconnect: bool) -> None:
        """Tell why, take everything away at once, and cut the connection."""
        self._fanout.leave_all(socket.sid)
        socket.follows.clear()
        socket.tell("closing", orjson.dumps({"code": code, "reconnect": reconnect}))
        socket.client.close(POLICY, code)
        metrics.REVOCATIONS.labels("socket").inc()

    def expire(self, socket: LiveSocket) -> None:
        """Warn a socket that expires soon, close one whose grace is over, drop its grants that ran out."""
        now = time.time()
        if socket.expires_at is not None:
            self._expire_token(socket, socket.expires_at, now)
        over = [key for key, grant in socket.grants.items() if grant.expires_at and grant.expires_at.timestamp() <= now]
        if over:
            for key in over:
                del socket.grants[key]
            socket.principal = replace(socket.principal, grants=tuple(socket.grants.values()))
            self._recheck(socket, "expired")

    def _expire_token(self, socket: LiveSocket, expires_at: float, now: float) -> None:
        if now + LOOK_SECONDS > expires_at + self._limits.grace_seconds:
            self.close(socket, code="auth.expired", reconnect=True)
        elif now > expires_at - WARN_SECONDS and not socket.is_warned:
            socket.is_warned = True
            socket.tell("expiring", orjson.dumps({"at": expires_at}))


async def expire_sockets(sockets: Sockets, left: list[LiveSocket]) -> None:
    """Look for tokens and grants that ran out, for ever, never at a thousand sockets in one step.

    `left` are those that this look has not come to yet; called again, it goes on with them.
    """
    while True:
        while left:
            if len(left) % LOOKS_AT_ONCE == 0:
                await asyncio.sleep(0)
            socket = left.pop()
            if socket.sid in sockets.by_sid:
                sockets.expire(socket)
        await asyncio.sleep(LOOK_SECONDS)
        left.extend(sockets.by_sid.values())


def owner_of(who: Named) -> str:
    """Whom a socket counts for: the person, or the order of a tracking link, whose visitors have no names."""
    return who.order_id or who.person_id
