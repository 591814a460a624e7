"""The Engine.IO v4 server: sessions, their transports, heartbeats and time-outs.

It stands in for python-engineio's server behind python-socketio, method by method, and keeps sessions in the same
attribute. Invariant: all timing of all sessions hangs on one timer, and ten thousand clients leaving at once are
told to the application in slices, so that the loop goes on breathing.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import engineio
import orjson
from sanic import HTTPResponse, Request, Sanic

from hub.realtime import frames, handshake, joints
from hub.realtime.bound import bound_of
from hub.realtime.deadlines import Deadlines, Lane
from hub.realtime.handshake import Asked, Refusal
from hub.realtime.heartbeat import Heartbeat, Patience
from hub.realtime.pending import Pending
from hub.realtime.polling import PollingConnection, Unread, Upgrade
from hub.realtime.session import Session
from hub.realtime.transport import Connection, Owner, Wire

LOG = logging.getLogger(__name__)

DEPARTURES_PER_TURN = 100
LINGER_SECONDS = 3.0
GOODBYE_SECONDS = 0.02
CROWDED = "too many connections of this address have not joined yet: try again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may cost, how it may come, and how many of one address may be on their way in."""

    buffer_bytes: int
    message_bytes: int
    allow_polling: bool
    pending_per_address: int


class Application(Protocol):
    """Who sessions belong to: the Socket.IO server."""

    def message_received(self, session: Session, text: str) -> None:
        """A Socket.IO packet has come."""
        ...

    def session_ended(self, session: Session, reason: str) -> None:
        """A client has gone."""
        ...

    def session_slow(self, session: Session) -> None:
        """A client does not drain."""
        ...

    def session_drained(self, session: Session) -> None:
        """A slow client has drained."""
        ...


class LiveEngine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Keeps every session of this worker; `application` must be set before the first request."""

    application: Application
    sockets: dict[str, Session]

    def __init__(
        self,
        *,
        limits: Limits,
        patience: Patience,
        is_origin_allowed: Callable[[str | None], bool],
        client_address: Callable[[Request], str],
        **options: Any,
    ) -> None:
        super().__init__(async_mode="sanic", monitor_clients=False, **options)
        self._limits = limits
        self._patience = patience
        self._is_origin_allowed = is_origin_allowed
        self._client_address = client_address
        self._deadlines = Deadlines()
        self.heartbeat = Heartbeat(patience, self._deadlines)
        self._upgrades_due: Lane[Upgrade] = self._deadlines.lane(patience.upgrade_timeout_seconds, self._expect_upgrade)
        self._unread = Unread(self._deadlines)
        self._lingering: Lane[Connection] = self._deadlines.lane(LINGER_SECONDS, Connection.abort)
        self._departures: deque[tuple[Session, str]] = deque()
        self._pending = Pending(limits.pending_per_address)
        self._wire: Wire | None = None
        self._is_stopping = False

    def attach(self, app: Sanic[Any, Any], engineio_path: str = "socket.io") -> None:
        """Serves sessions under a path of the application."""
        joints.add_route(app, self.handle_request, f"/{engineio_path.strip('/')}/")

    async def handle_request(self, request: Request) -> HTTPResponse | None:
        """Answers one request; None when a WebSocket has been opened on its transport."""
        headers: dict[str, str] = {}
        try:
            origin = handshake.allowed_origin(request, self._is_origin_allowed)
            if origin is not None:
                headers = {
                    "Access-Control-Allow-Origin": origin,
                    "Access-Control-Allow-Credentials": "true",
                    "Vary": "Origin",
                }
            if request.method == "OPTIONS":
                allowed = {
                    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
                    "Access-Control-Allow-Headers": "content-type",
                }
                return HTTPResponse(status=204, headers=headers | allowed)
            wanted = handshake.asked(request, allow_polling=self._limits.allow_polling)
            if wanted.is_websocket:
                self._open_websocket(request, wanted)
                return None
            response = await self._serve_polling(request, wanted)
        except Refusal as refusal:
            response = refusal.response()
        except frames.FrameError:
            response = Refusal(handshake.BAD_REQUEST).response()
        response.headers.update(headers)
        return response

    def _open_websocket(self, request: Request, wanted: Asked) -> None:
        """Opens a WebSocket, for a new session or as the way up from polling. Raises `Refusal`."""
        if request.transport is None or request.transport.is_closing():
            raise Refusal(handshake.BAD_REQUEST)
        answer = handshake.websocket_accept(request)
        if wanted.sid is None:
            session = self._new_session(request)
            connection = self._connect(request, session, answer + frames.text_frame(self._open_packet(session, [])))
            session.carrier = connection
            self._open(session)
            return
        known = self._session(wanted.sid)
        polling = known.carrier
        if not isinstance(polling, PollingConnection) or polling.is_upgrading:
            raise Refusal(handshake.BAD_REQUEST)
        upgrade = Upgrade(known, polling)
        upgrade.socket = self._connect(request, upgrade, answer)
        self._upgrades_due.add(upgrade)

    def _connect(self, request: Request, owner: Owner, greeting: bytes) -> Connection:
        taken = joints.take_over(request)
        if self._wire is None or self._wire.connections is not taken.connections:
            self._wire = Wire(
                message_bytes=self._limits.message_bytes,
                bound=bound_of(self._limits.buffer_bytes),
                linger=self._lingering.add,
                connections=taken.connections,
            )
        connection = Connection(owner, self._wire, taken.transport)
        taken.transport.set_protocol(connection)
        taken.transport.write(greeting)
        if taken.early_input:
            loop = asyncio.get_running_loop()
            loop.call_soon(connection.data_received, taken.early_input, context=contextvars.Context())
        return connection

    async def _serve_polling(self, request: Request, wanted: Asked) -> HTTPResponse:
        if wanted.sid is None:
            session = self._new_session(request)
            session.carrier = PollingConnection(session, self._limits.buffer_bytes, on_unread=self._unread.keep)
            self._open(session)
            return _payload(self._open_packet(session, ["websocket"]))
        if wanted.method == "GET" and (last_words := self._unread.poll(wanted.sid)):
            return _payload(last_words)
        session = self._session(wanted.sid)
        polling = session.carrier
        if not isinstance(polling, PollingConnection):
            raise Refusal(handshake.BAD_REQUEST)
        if wanted.method == "GET":
            return _payload(await polling.poll())
        if len(request.body) > self._limits.message_bytes:
            session.end("transport error", code=frames.TOO_BIG, told="payload is too long", closing="bad_request")
            raise Refusal(handshake.BAD_REQUEST, 413)
        polling.posted(request.body)
        return _payload(b"ok")

    def _session(self, sid: str) -> Session:
        """A session that lives. Raises `Refusal`."""
        session = self.sockets.get(sid)
        if session is not None:
            self.heartbeat.end_if_silent(session)
        if session is None or session.closed:
            raise Refusal(handshake.UNKNOWN_SESSION)
        return session

    def _new_session(self, request: Request) -> Session:
        address = self._client_address(request)
        if self._is_stopping:
            raise Refusal(handshake.FORBIDDEN, 503)
        if self._pending.is_full_at(address):
            again = {"Retry-After": str(ceil(self._patience.connect_timeout_seconds))}
            raise Refusal(handshake.FORBIDDEN, 429, again, message=CROWDED)
        return Session(self.generate_id(), self, address, handshake.environ_of(request, address))

    def _open(self, session: Session) -> None:
        self.sockets[session.sid] = session
        self._pending.add(session)
        self.heartbeat.opened(session)

    def joined(self, session: Session) -> None:
        """A namespace has let the client in: nobody needs its handshake any more."""
        session.environ = None
        self._pending.discard(session)

    def left(self, session: Session) -> None:
        """The client is in no namespace any more; it has the time-out of a new one to join another."""
        self._pending.add(session)
        self.heartbeat.expect_connect(session)

    def _open_packet(self, session: Session, upgrades: list[str]) -> bytes:
        return b"0" + orjson.dumps(
            {
                "sid": session.sid,
                "upgrades": upgrades,
                "pingInterval": round(self._patience.ping_interval_seconds * 1000),
                "pingTimeout": round(self._patience.ping_timeout_seconds * 1000),
                "maxPayload": self._limits.message_bytes,
            }
        )

    def message_received(self, session: Session, text: str) -> None:
        """Hands a Socket.IO packet to the application."""
        self.application.message_received(session, text)

    def pong_received(self, session: Session) -> None:
        """Hands a pong to the heartbeat."""
        self.heartbeat.ponged(session)

    def _expect_upgrade(self, upgrade: Upgrade) -> None:
        if not upgrade.is_done and upgrade.socket is not None:
            upgrade.socket.close(frames.POLICY, "upgrade was not completed in time")

    def session_slow(self, session: Session) -> None:
        """Passes on that a client does not drain."""
        self.application.session_slow(session)

    def session_drained(self, session: Session) -> None:
        """Passes on that a client drains again."""
        self.application.session_drained(session)

    def session_ended(self, session: Session, reason: str) -> None:
        """Forgets a session at once, and tells the application in its turn."""
        self.sockets.pop(session.sid, None)
        self._pending.discard(session)
        self._departures.append((session, reason))
        if len(self._departures) == 1:
            asyncio.get_running_loop().call_soon(self._depart, context=contextvars.Context())

    def _depart(self) -> None:
        for _ in range(min(len(self._departures), DEPARTURES_PER_TURN)):
            self.application.session_ended(*self._departures.popleft())
        if self._departures:
            asyncio.get_running_loop().call_soon(self._depart, context=contextvars.Context())

    async def send(self, sid: str, data: str) -> None:
        """Sends a Socket.IO packet to a session."""
        session = self.sockets.get(sid)
        if session is not None:
            session.carrier.answer(b"4" + data.encode())

    async def disconnect(self, sid: str | None = None) -> None:
        """Ends one session, or all of them."""
        for session in [self.sockets[sid]] if sid in self.sockets else [] if sid else list(self.sockets.values()):
            session.end("server disconnect", code=frames.NORMAL)

    async def shutdown(self) -> None:
        """Lets nobody in any more, says goodbye to everybody, waits until the last has gone or has lingered enough."""
        self._is_stopping = True
        for session in list(self.sockets.values()):
            told = "server is going away"
            session.end("server disconnect", code=frames.RESTART, told=told, closing="going_away")
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS + GOODBYE_SECONDS):
                while self._departures or self._has_connections():
                    await asyncio.sleep(GOODBYE_SECONDS)

    def _has_connections(self) -> bool:
        return self._wire is not None and any(isinstance(each, Connection) for each in self._wire.connections)


def _payload(body: bytes) -> HTTPResponse:
    return HTTPResponse(body, 200, {"Cache-Control": "no-store"}, "text/plain; charset=UTF-8")
