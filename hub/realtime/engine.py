"""The Socket.IO server of the hub: python-socketio's handlers, namespaces, rooms and acknowledgements on our engine.

    Sanic ▶ LiveEngine (entrance.py: handshake, heartbeat) ▶ Session (order) ▶ LiveServer (packets, handlers)
    fan-out ▶ connection(sid).write(frame) ▶ Connection (transport.py) ▶ the kernel

Invariant: the handlers of one socket run one after the other, in the order the client sent, and `disconnect` runs
last, exactly once for every accepted `connect`. An event always has an answer where one was asked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import socketio
from sanic import Request, Sanic

from hub.realtime import answers, flood, frames, packets
from hub.realtime.entrance import Limits, LiveEngine
from hub.realtime.flood import Rate, TokenBucket
from hub.realtime.frames import FrameError
from hub.realtime.heartbeat import Patience
from hub.realtime.packets import LivePacket
from hub.realtime.rooms import Member, Rooms, Standing
from hub.realtime.session import DEFAULT_NAMESPACE, Session
from hub.realtime.transport import Carrier
from hub.realtime.turns import Turns

LOG = logging.getLogger(__name__)

LAST_HANDLERS_SECONDS = 5.0


class LiveServer(socketio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """A python-socketio server for Sanic whose clients cost little; its public methods keep their meaning.

    A client faster than its rate is refused; one refused `most_events_refused` times without a pause is closed.
    `is_origin_allowed` is asked for every request, with None where a client sends no Origin (no browser).
    `client_address` names the client for rate limits and logs; `environ["REMOTE_ADDR"]` is its answer.
    `pending_per_address`: handshakes of one address that have joined nothing yet; more are answered 429.
    `on_slow(sid)`: a write was refused, the client's bound is reached; `on_drained(sid)`: it has caught up.
    """

    def __init__(
        self,
        *,
        is_origin_allowed: Callable[[str | None], bool],
        client_address: Callable[[Request], str],
        buffer_bytes: int = 256 * 1024,
        message_bytes: int = 64 * 1024,
        allow_polling: bool = False,
        pending_per_address: int = 1000,
        ping_interval_seconds: float = 25.0,
        ping_timeout_seconds: float = 20.0,
        connect_timeout_seconds: float = 5.0,
        upgrade_timeout_seconds: float = 10.0,
        events_per_second: float = 20.0,
        event_burst: int = 40,
        most_events_refused: int = 1000,
        namespaces: tuple[str, ...] = (DEFAULT_NAMESPACE,),
        on_slow: Callable[[str], None] | None = None,
        on_drained: Callable[[str], None] | None = None,
        on_rate_limited: Callable[[str], None] | None = None,
    ) -> None:
        limits = Limits(
            buffer_bytes=buffer_bytes,
            message_bytes=message_bytes,
            allow_polling=allow_polling,
            pending_per_address=pending_per_address,
        )
        patience = Patience(
            ping_interval_seconds=ping_interval_seconds,
            ping_timeout_seconds=ping_timeout_seconds,
            connect_timeout_seconds=connect_timeout_seconds,
            upgrade_timeout_seconds=upgrade_timeout_seconds,
        )
        super().__init__(
            client_manager=Rooms(),
            serializer=LivePacket,
            namespaces=list(namespaces),
            async_handlers=False,
            logger=LOG,
            engineio_logger=LOG,
            limits=limits,
            patience=patience,
            is_origin_allowed=is_origin_allowed,
            client_address=client_address,
        )
        self.eio.application = self
        self._rate = Rate(per_second=events_per_second, burst=event_burst, most_refused=most_events_refused)
        self._on_slow = on_slow
        self._on_drained = on_drained
        self._on_rate_limited = on_rate_limited
        self._turns: Turns[LivePacket | str] = Turns(self._handle)

    def _engineio_server_class(self) -> type[LiveEngine]:
        return LiveEngine

    def connection(self, sid: str) -> Carrier | None:
        """What carries a client of the default namespace, for direct writes; None when it is gone. O(1).

        It may be kept: once the client is gone, its `write` returns False. A client that climbs from polling to a
        WebSocket keeps its carrier.
        """
        member = self.manager.member(sid)
        return None if member is None or member.session.closed else member.session.carrier

    def waiting_events(self, sid: str) -> Iterator[list[Any]]:
        """Name and arguments of every event that a client of the default namespace has sent and nobody handled yet."""
        member = self.manager.member(sid)
        for item in member.session.inbox or () if member is not None else ():
            if (
                isinstance(item, LivePacket)
                and item.packet_type == packets.EVENT
                and item.namespace == DEFAULT_NAMESPACE
            ):
                yield item.data

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The handshake's environ; after a namespace has let the client in, `REMOTE_ADDR` is all that is kept."""
        member = self.manager.member(sid, namespace or DEFAULT_NAMESPACE)
        return None if member is None else _environ(member.session)

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """What the application keeps for a client, until its disconnect handler has run. Raises KeyError after."""
        member = self._member(sid, namespace)
        if member.session.data is None:
            member.session.data = {}
        session: dict[str, Any] = member.session.data.setdefault(member.namespace, {})
        return session

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Replaces what the application keeps for a client. Raises KeyError when it is gone."""
        member = self._member(sid, namespace)
        member.session.data = {**(member.session.data or {}), member.namespace: session}

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """`websocket` or `polling`. Raises KeyError when the client is gone."""
        return "websocket" if self._member(sid, namespace).session.upgraded else "polling"

    def _member(self, sid: str, namespace: str | None) -> Member:
        member: Member | None = self.manager.member(sid, namespace or DEFAULT_NAMESPACE)
        if member is None:
            raise KeyError(sid)
        return member

    async def disconnect(self, sid: str, namespace: str | None = None, **_: Any) -> None:
        """Puts a client out of a namespace; it learns so and does not come back by itself."""
        member = self.manager.member(sid, namespace or DEFAULT_NAMESPACE)
        if member is not None and member.standing is Standing.CONNECTED:
            _send(member.session, LivePacket(packets.DISCONNECT, namespace=member.namespace))
            await self._leave(member, self.reason.SERVER_DISCONNECT)

    def attach(self, app: Sanic[Any, Any], socketio_path: str = "socket.io") -> None:
        """Serves live clients under a path of the application, and says goodbye to them when its server stops.

        Sanic calls its stop listeners last registered first: register what must come before the goodbye afterwards.
        """
        self.eio.attach(app, socketio_path)

        async def say_goodbye(app: Sanic[Any, Any]) -> None:
            await self.shutdown()

        app.register_listener(say_goodbye, "before_server_stop")

    async def shutdown(self) -> None:
        """Lets nobody in any more, ends every session, waits for the handlers still running."""
        await self.eio.shutdown()
        await self._turns.finish(LAST_HANDLERS_SECONDS)

    def session_slow(self, session: Session) -> None:
        """Tells `on_slow`."""
        _tell(self._on_slow, session)

    def session_drained(self, session: Session) -> None:
        """Tells `on_drained`."""
        _tell(self._on_drained, session)

    def session_ended(self, session: Session, reason: str) -> None:
        """Lets the client leave its namespaces once what it sent before has been worked off."""
        if session.members or session.inbox is not None:
            self._turns.take(session, reason)

    def message_received(self, session: Session, text: str) -> None:
        """Queues a packet, or refuses it by its client's rate. Raises `FrameError` for a malformed one or a flood."""
        if not text:
            raise FrameError(frames.PROTOCOL_ERROR, "empty packet")
        retry_after_seconds = self._retry_after(session)
        if not retry_after_seconds:
            self._turns.take(session, LivePacket(encoded_packet=text))
            return
        refused = flood.refusal(text, retry_after_seconds)
        if refused is not None:
            _send(session, refused)
        _tell(self._on_rate_limited, session)

    def _retry_after(self, session: Session) -> float:
        """0.0 for a client within its rate that has not left a whole burst unworked."""
        now = asyncio.get_running_loop().time()
        if session.bucket is None:
            session.bucket = TokenBucket(float(self._rate.burst), now)
        is_behind = session.inbox is not None and len(session.inbox) >= self._rate.burst
        return session.bucket.retry_after(now, self._rate, is_behind=is_behind)

    async def _handle(self, session: Session, item: LivePacket | str) -> None:
        """Handles one packet; a string is the reason why the session has ended."""
        if isinstance(item, str):
            for member in list(session.members.values()):
                await self._leave(member, item)
            return
        if item.packet_type == packets.CONNECT:
            await self._join(session, item)
            return
        member = session.members.get(item.namespace or DEFAULT_NAMESPACE)
        if member is None:
            _breach(session, "namespace was not joined")
        elif member.standing is Standing.CONNECTED:
            await self._take(member, item)

    async def _take(self, member: Member, item: LivePacket) -> None:
        """Handles one packet of a client that is in."""
        if item.packet_type == packets.DISCONNECT:
            await self._leave(member, self.reason.CLIENT_DISCONNECT)
        elif item.packet_type == packets.ACK:
            await self._acknowledged(member, item)
        else:
            answer = await self._answer(member, item.data)
            if item.id is not None:
                _send(member.session, LivePacket(packets.ACK, answer, namespace=item.namespace, id=item.id))

    async def _join(self, session: Session, packet: LivePacket) -> None:
        """Lets a client into a namespace, if its connect handler does."""
        namespace = packet.namespace or DEFAULT_NAMESPACE
        refusal: dict[str, Any] | None = {"message": "Invalid namespace"}
        if self._is_served(namespace):
            sid = await self.manager.pre_connect(session.sid, namespace)
            if sid is None:
                _breach(session, "namespace was joined already")
                return
            refusal = await self._refusal(sid, namespace, session, packet.data)
            if refusal is None:
                _send(session, LivePacket(packets.CONNECT, {"sid": sid}, namespace=namespace))
                self.eio.joined(session)
                await self.manager.connect(sid, namespace)
                return
            await self.manager.disconnect(sid, namespace)
        _send(session, LivePacket(packets.CONNECT_ERROR, refusal, namespace=namespace))
        if not session.members:
            # The time-out may have passed while the handler ran.
            self.eio.heartbeat.expect_connect(session)

    async def _refusal(self, sid: str, namespace: str, session: Session, auth: Any) -> dict[str, Any] | None:
        """What the connect handler has against a client; None when it lets it in."""
        arguments = (sid, _environ(session), auth)
        handler, _ = self._get_event_handler("connect", namespace, arguments)
        if handler is not None and not answers.accepts(handler, len(arguments)):
            arguments = arguments[:-1]  # type: ignore[assignment]  # a handler may do without auth
        try:
            accepted = await self._trigger_event("connect", namespace, *arguments)
        except socketio.exceptions.ConnectionRefusedError as refused:
            refusal: dict[str, Any] = refused.error_args
            return refusal
        except Exception:  # the edge of the socket
            LOG.exception("connect handler failed")
            return {"message": "Internal error", "data": {"code": "internal"}}
        return {"message": "Connection rejected by server"} if accepted is False else None

    async def _answer(self, member: Member, data: list[Any]) -> list[Any]:
        """The arguments of the acknowledgement of an event."""
        name, *arguments = data
        handler, given = self._get_event_handler(name, member.namespace, (member.sid, *arguments))
        if handler is not None and not answers.accepts(handler, len(given)):
            return answers.refused("bad_request", "the event takes other arguments")
        try:
            result = await self._trigger_event(name, member.namespace, member.sid, *arguments)
        except Exception:  # the edge of the socket
            LOG.exception("event handler failed")
            return answers.refused("internal", "the hub failed to handle the event")
        if result is self.not_handled:
            return answers.refused("bad_request", "unknown event")
        return answers.arguments_of(result)

    async def _acknowledged(self, member: Member, packet: LivePacket) -> None:
        try:
            await self.manager.acknowledged(member, packet.id, packet.data)
        except Exception:  # the edge of the socket
            LOG.exception("acknowledgement callback failed")

    async def _leave(self, member: Member, reason: str) -> None:
        """Runs the disconnect handler of a client once, then forgets its membership whatever comes of it."""
        if member.standing is not Standing.CONNECTED:
            return
        member.standing = Standing.LEAVING
        try:
            await self._trigger_event("disconnect", member.namespace, member.sid, reason)
        except Exception:  # the edge of the socket
            LOG.exception("disconnect handler failed")
        finally:
            self.manager.basic_disconnect(member.sid, member.namespace)
        if not member.session.members and not member.session.closed:
            self.eio.left(member.session)

    def _is_served(self, namespace: str) -> bool:
        known = (*self.handlers, *self.namespace_handlers)
        return "*" in known or namespace in known or self.namespaces == ["*"] or namespace in self.namespaces


def _send(session: Session, packet: LivePacket) -> None:
    session.carrier.answer(b"4" + packet.encoded())


def _breach(session: Session, told: str) -> None:
    """Closes a client that talks where it may not, as the reference does."""
    session.end("transport error", code=frames.PROTOCOL_ERROR, told=told, closing="bad_request")


def _environ(session: Session) -> dict[str, Any]:
    return {"REMOTE_ADDR": session.address} if session.environ is None else dict(session.environ)


def _tell(hook: Callable[[str], None] | None, session: Session) -> None:
    member = session.members.get(DEFAULT_NAMESPACE)
    if hook is not None and member is not None:
        hook(member.sid)
