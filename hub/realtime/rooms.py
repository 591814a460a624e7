"""Who is in which namespace and room, on this worker.

Stands in for python-socketio's own manager, whose disconnect scans every room (7 ms at 8,000 clients) and whose
lists of pending clients are searched from the start. Invariant: a member knows its rooms and a room its members,
so entering, leaving and disconnecting cost O(rooms of that client). State is never sent to other workers from
here: every worker reads the stream of changes itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import socketio

from hub.realtime import frames, packets
from hub.realtime.session import Session


class Standing(Enum):
    """How far a client's membership of a namespace has come."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LEAVING = "leaving"


class Member:
    """One client in one namespace."""

    __slots__ = ("callbacks", "held", "last_number", "namespace", "rooms", "session", "sid", "standing")

    def __init__(self, sid: str, namespace: str, session: Session) -> None:
        self.sid = sid
        self.namespace = namespace
        self.session = session
        self.standing = Standing.CONNECTING
        self.rooms: set[str] | None = None
        # Frames for a client whose connect handler still runs: they must not overtake its CONNECT.
        self.held: list[bytes] | None = []
        self.callbacks: dict[int, Callable[..., Any]] | None = None
        self.last_number = 0

    @property
    def is_in(self) -> bool:
        """Whether the client was let in and has not begun to leave."""
        return self.standing is Standing.CONNECTED

    def write(self, frame: bytes) -> bool:
        """Sends frames to the client, after its CONNECT."""
        if self.held is None:
            return self.session.carrier.write(frame)
        self.held.append(frame)
        return True

    def release(self) -> None:
        """Sends what was held back."""
        held, self.held = self.held, None
        for frame in held or ():
            self.session.carrier.write(frame)

    def expect_answer(self, callback: Callable[..., Any]) -> int:
        """The number under which the client's acknowledgement will call back."""
        self.last_number += 1
        self.callbacks = {**(self.callbacks or {}), self.last_number: callback}
        return self.last_number


class Rooms(socketio.AsyncManager):  # type: ignore[misc]  # the library has no types
    """The client manager of `LiveServer`; method names and arguments are python-socketio's."""

    def __init__(self) -> None:
        super().__init__()
        self._members: dict[str, dict[str, Member]] = {}
        self._rooms: dict[str, dict[str, dict[str, Member]]] = {}

    def member(self, sid: str, namespace: str = "/") -> Member | None:
        """The membership of a client by its Socket.IO id."""
        return self._members.get(namespace, {}).get(sid)

    def get_namespaces(self) -> list[str]:
        """Namespaces that somebody is in."""
        return list(self._members)

    def get_participants(self, namespace: str, room: str | Iterable[str] | None) -> Iterator[tuple[str, str]]:
        """`(sid, eio_sid)` of everybody in a room, in several rooms together, or (None) in the namespace."""
        for member in self._in(namespace, room):
            yield member.sid, member.session.sid

    def _in(self, namespace: str, room: str | Iterable[str] | None) -> list[Member]:
        members = self._members.get(namespace, {})
        if room is None:
            return list(members.values())
        if isinstance(room, str):
            alone = members.get(room)
            return [alone] if alone is not None else list(self._rooms.get(namespace, {}).get(room, {}).values())
        return list({member.sid: member for each in room for member in self._in(namespace, each)}.values())

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        """Lets a client wait at the door of a namespace; None when it is there already."""
        session = self.server.eio.sockets.get(eio_sid)
        if session is None or namespace in session.members:
            return None
        sid: str = self.server.eio.generate_id()
        member = Member(sid, namespace, session)
        session.members[namespace] = member
        self._members.setdefault(namespace, {})[sid] = member
        return sid

    async def connect(self, sid: str, namespace: str) -> str:
        """Lets a waiting client in, and sends what was held back for it."""
        member = self.member(sid, namespace)
        if member is not None:
            member.standing = Standing.CONNECTED
            member.release()
        return sid

    def is_connected(self, sid: str | None, namespace: str) -> bool:
        """Whether the client is in, and not on its way out."""
        member = self.member(sid, namespace) if sid is not None else None
        return member is not None and member.standing is Standing.CONNECTED

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        """The Socket.IO id of an Engine.IO session in a namespace."""
        session = self.server.eio.sockets.get(eio_sid)
        member = session.members.get(namespace) if session is not None else None
        return member.sid if member is not None else None

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """The Engine.IO session of a client."""
        member = self.member(sid, namespace)
        return member.session.sid if member is not None else None

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        """Marks a client as leaving while its disconnect handler runs."""
        member = self.member(sid, namespace)
        if member is None:
            return None
        member.standing = Standing.LEAVING
        return member.session.sid

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        """Takes a client out of its rooms and of the namespace."""
        member = self.member(sid, namespace)
        if member is None:
            return
        for room in list(member.rooms or ()):
            self.basic_leave_room(sid, namespace, room)
        member.session.members.pop(namespace, None)
        del self._members[namespace][sid]
        if not self._members[namespace]:
            del self._members[namespace]

    def basic_enter_room(self, sid: str, namespace: str, room: str, eio_sid: str | None = None) -> None:
        """Puts a client into a room. Raises ValueError for a client that is not there, or another client's id."""
        member = self.member(sid, namespace)
        if member is None:
            raise ValueError("sid is not connected to requested namespace")
        if room != sid and self.is_sid_room(namespace, room):
            raise ValueError("cannot enter a sid room")
        member.rooms = member.rooms or set()
        member.rooms.add(room)
        self._rooms.setdefault(namespace, {}).setdefault(room, {})[sid] = member

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        """Takes a client out of a room; an empty room is forgotten."""
        member = self.member(sid, namespace)
        if member is None or member.rooms is None or room not in member.rooms:
            return
        member.rooms.discard(room)
        rooms = self._rooms[namespace]
        del rooms[room][sid]
        if not rooms[room]:
            del rooms[room]
        if not rooms:
            del self._rooms[namespace]

    def basic_close_room(self, room: str, namespace: str) -> None:
        """Takes everybody out of a room."""
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot close a sid room")
        for member in self._in(namespace, room):
            self.basic_leave_room(member.sid, namespace, room)

    def is_sid_room(self, namespace: str, room: str) -> bool:
        """Whether the name of a room is a client's own id."""
        return self.member(room, namespace) is not None

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """The rooms of a client, its own id first."""
        member = self.member(sid, namespace)
        return [] if member is None else [sid, *(room for room in member.rooms or () if room != sid)]

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: str | Iterable[str] | None = None,
        skip_sid: str | list[str] | None = None,
        callback: Callable[..., Any] | None = None,
        to: str | Iterable[str] | None = None,
        **_: Any,
    ) -> None:
        """Sends an event to a room: encoded once, the same bytes to everybody."""
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        packet = packets.LivePacket(packets.EVENT, [event, *arguments], namespace=namespace)
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        frame = b"" if callback is not None else frames.text_frame(b"4" + packet.encoded())
        for member in self._in(namespace, to or room):
            if member.sid in skipped:
                continue
            if callback is not None:
                packet.id = member.expect_answer(callback)
                frame = frames.text_frame(b"4" + packet.encoded())
            member.write(frame)

    async def acknowledged(self, member: Member, number: int, arguments: list[Any]) -> None:
        """Calls whoever waits for an acknowledgement; one that nobody asked for is ignored."""
        callback = member.callbacks.pop(number, None) if member.callbacks else None
        if callback is not None:
            result = callback(*arguments)
            if inspect.isawaitable(result):
                await result
