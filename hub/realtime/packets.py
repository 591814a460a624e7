"""Socket.IO v5 packets as the hub accepts and writes them: text only, JSON by orjson.

Invariant: a packet that has been read is well formed: its type is one a client may send, an event has a name that
is not reserved (the stock reader lets a client call the `connect` handler), an acknowledgement has its number.
Anything else raises `FrameError`, and the connection is closed with that code. Binary is refused when it is
announced, so no attachment is ever waited for.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import socketio

from hub.realtime.frames import POLICY, PROTOCOL_ERROR, UNACCEPTABLE, FrameError

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)
LONGEST_NAMESPACE = 100

# Type, namespace (its query is dropped), number of the acknowledgement.
HEAD = re.compile(r"([0-6])(?:(/[^,?]*)(?:\?[^,]*)?(?:,|\Z))?([0-9]{0,15})", re.ASCII)


class LivePacket(socketio.packet.Packet):  # type: ignore[misc]  # the library has no types
    """One Socket.IO packet; python-socketio makes and reads all of its packets with this class."""

    uses_binary_events = False

    packet_type: int
    namespace: str | None
    id: int | None
    data: Any

    def encode(self) -> str:
        """The packet as text."""
        return self.encoded().decode()

    def encoded(self) -> bytes:
        """The packet as UTF-8 bytes; data is anything that orjson writes, `orjson.Fragment` included."""
        namespace = "" if self.namespace in (None, "/") else f"{self.namespace},"
        number = "" if self.id is None else str(self.id)
        body = b"" if self.data is None else orjson.dumps(self.data)
        return f"{self.packet_type}{namespace}{number}".encode() + body

    def decode(self, encoded_packet: str) -> int:
        """Reads a packet sent by a client. Raises `FrameError` when it is malformed or binary."""
        head = HEAD.match(encoded_packet)
        if head is None:
            raise FrameError(PROTOCOL_ERROR, "malformed packet")
        kind, namespace, number = head.groups()
        self.packet_type = int(kind)
        if self.packet_type in (BINARY_EVENT, BINARY_ACK):
            raise FrameError(UNACCEPTABLE, "binary is not accepted")
        self.namespace = namespace or "/"
        if len(self.namespace) > LONGEST_NAMESPACE:
            raise FrameError(POLICY, "namespace is too long")
        self.id = int(number) if number else None
        self.data = _json(encoded_packet[head.end() :])
        if not self._is_lawful():
            raise FrameError(PROTOCOL_ERROR, "malformed packet")
        return 0

    def _is_lawful(self) -> bool:
        """Whether the data fits the type, as the Socket.IO v5 suite has it."""
        data = self.data
        if self.packet_type == EVENT:
            return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in RESERVED_EVENTS
        if self.packet_type == ACK:
            return isinstance(data, list) and self.id is not None
        if self.packet_type == CONNECT:
            return self.id is None and (data is None or isinstance(data, dict))
        return self.packet_type == DISCONNECT and self.id is None and data is None


def packet_head(text: str) -> tuple[int, str, int | None] | None:
    """Type, namespace and number of a packet without reading its data: all that a refusal needs."""
    head = HEAD.match(text)
    if head is None:
        return None
    kind, namespace, number = head.groups()
    return int(kind), namespace or "/", int(number) if number else None


def _json(text: str) -> Any:
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FrameError(PROTOCOL_ERROR, "data is not JSON") from error
