"""WebSocket frames (RFC 6455): what the hub writes and what it accepts from a client.

A server frame made here is complete, final and unmasked, so the same bytes go to any number of clients;
the fan-out relies on it. A client frame is believed only after every check of the RFC that applies to a
server without extensions; the first breach raises `FrameError` with the close code to answer.

    first byte   FIN RSV1 RSV2 RSV3 opcode(4)
    second byte  MASK length(7), then 2 or 8 bytes of length, then 4 bytes of mask, then the payload
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL = 0x80
MASKED = 0x80
CHANGE_START = b'42["change",'
LONGEST_CONTROL_BYTES = 125

# Close codes, RFC 6455 section 7.4.1.
NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNACCEPTABLE, NO_CODE = 1000, 1001, 1002, 1003, 1005
NOT_UTF8, POLICY, TOO_BIG, RESTART = 1007, 1008, 1009, 1012
RECEIVABLE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


class FrameError(Exception):
    """A client broke the protocol or a limit; `code` and `reason` go into the close frame that answers it.

    `closing` is the word that the `closing` event before it carries.
    """

    def __init__(self, code: int, reason: str, *, closing: str = "bad_request") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.closing = closing


def event_frame(name: str, json_body: bytes) -> bytes:
    """The whole text frame of one Socket.IO event on the default namespace, with one argument already in JSON."""
    return text_frame(event_packet(name, json_body))


def event_packet(name: str, json_body: bytes) -> bytes:
    """The Engine.IO packet that is in such a frame."""
    return b"42[%b,%b]" % (orjson.dumps(name), json_body)


def change_frame(json_body: bytes) -> bytes:
    """`event_frame("change", …)`, which every delivery takes, at half the cost."""
    length = len(json_body) + len(CHANGE_START) + 1
    if LONGEST_CONTROL_BYTES < length < 1 << 16:
        return b"\x81\x7e%b%b%b]" % (length.to_bytes(2, "big"), CHANGE_START, json_body)
    return text_frame(b"%b%b]" % (CHANGE_START, json_body))


def text_frame(payload: bytes) -> bytes:
    """A final text frame; the payload must be UTF-8."""
    return _server_frame(TEXT, payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping, with its payload."""
    return _server_frame(PONG, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to the 123 bytes that fit, on a whole character."""
    if code == NO_CODE:
        return _server_frame(CLOSE, b"")
    told = reason.encode()[: LONGEST_CONTROL_BYTES - 2].decode(errors="ignore").encode()
    return _server_frame(CLOSE, code.to_bytes(2, "big") + told)


def _server_frame(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    if length <= LONGEST_CONTROL_BYTES:
        return bytes((FINAL | opcode, length)) + payload
    if length < 1 << 16:
        return bytes((FINAL | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((FINAL | opcode, 127)) + length.to_bytes(8, "big") + payload


def texts_of(frames: bytes) -> Iterator[bytes]:
    """The payloads of joined frames made by `text_frame`: how a long-polling client gets what a socket would."""
    start = 0
    while start < len(frames):
        length, start = frames[start + 1], start + 2
        if length > LONGEST_CONTROL_BYTES:
            width = 2 if length == 126 else 8
            length, start = int.from_bytes(frames[start : start + width], "big"), start + width
        yield frames[start : start + length]
        start += length


def close_code(payload: bytes) -> int:
    """The code in a client's close frame, `NO_CODE` for an empty one. Raises `FrameError` for an unlawful one."""
    if not payload:
        return NO_CODE
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in RECEIVABLE_CODES or 3000 <= code <= 4999):
        raise FrameError(PROTOCOL_ERROR, "unlawful close code")
    utf8(payload[2:])
    return code


def utf8(payload: bytes) -> str:
    """The text of a payload. Raises `FrameError` 1007 where it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise FrameError(NOT_UTF8, "text is not UTF-8") from error


class FrameReader:
    """Cuts a client's byte stream into messages: `feed` it what arrives, take `(opcode, payload)` as they complete.

    Opcodes given out are TEXT, CLOSE, PING and PONG; fragments are joined. At most `limit_bytes` of a message
    and one header are ever kept.
    """

    __slots__ = ("_limit_bytes", "_message", "_rest")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._rest = b""
        self._message: bytearray | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Complete messages, in order; raises `FrameError` at the first unlawful byte."""
        buffer = self._rest + data if self._rest else data
        start = 0
        while (bounds := self._bounds(buffer, start)) is not None:
            payload_at, end = bounds
            payload = _unmasked(buffer[payload_at - 4 : payload_at], buffer[payload_at:end])
            message = self._joined(buffer[start], payload)
            start = end
            if message is not None:
                yield message
        self._rest = buffer[start:]

    def _bounds(self, buffer: bytes, start: int) -> tuple[int, int] | None:
        """Where the payload of the frame at `start` begins and ends; None until all of it is here."""
        if len(buffer) - start < 2:
            return None
        opcode, length = self._checked(buffer[start], buffer[start + 1]), buffer[start + 1] & 0x7F
        width = {126: 2, 127: 8}.get(length, 0)
        payload_at = start + 2 + width + 4
        if width:
            if len(buffer) < payload_at - 4:
                return None
            length = int.from_bytes(buffer[start + 2 : start + 2 + width], "big")
            if length <= LONGEST_CONTROL_BYTES or (width == 8 and length < 1 << 16):
                raise FrameError(PROTOCOL_ERROR, "length is not written in the shortest way")
        kept = len(self._message) if self._message is not None and opcode == CONTINUATION else 0
        if kept + length > self._limit_bytes:
            raise FrameError(TOO_BIG, f"message is longer than {self._limit_bytes} bytes")
        end = payload_at + length
        return (payload_at, end) if len(buffer) >= end else None

    def _checked(self, first: int, second: int) -> int:
        """The opcode of a lawful frame header."""
        opcode = first & 0x0F
        if first & 0x70:
            raise FrameError(PROTOCOL_ERROR, "reserved bits are set")
        if not second & MASKED:
            raise FrameError(PROTOCOL_ERROR, "frame is not masked")
        if opcode in (CLOSE, PING, PONG):
            if not first & FINAL or second & 0x7F > LONGEST_CONTROL_BYTES:
                raise FrameError(PROTOCOL_ERROR, "control frame is fragmented or too long")
        elif opcode == BINARY:
            raise FrameError(UNACCEPTABLE, "binary is not accepted")
        elif opcode not in (CONTINUATION, TEXT):
            raise FrameError(PROTOCOL_ERROR, "unknown opcode")
        elif (opcode == CONTINUATION) != (self._message is not None):
            raise FrameError(PROTOCOL_ERROR, "fragments out of order")
        return opcode

    def _joined(self, first: int, payload: bytes) -> tuple[int, bytes] | None:
        """The message that this frame completes, if it completes one."""
        opcode, is_final = first & 0x0F, bool(first & FINAL)
        if opcode >= CLOSE or (opcode == TEXT and is_final):
            return opcode, payload
        if self._message is None:
            self._message = bytearray()
        self._message += payload
        if not is_final:
            return None
        whole, self._message = bytes(self._message), None
        return TEXT, whole


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    """The payload XOR its repeated mask, as one big integer: 64 KiB in about 20 µs without a C extension."""
    length = len(payload)
    if mask == b"\0\0\0\0" or not length:
        return payload
    repeated = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")).to_bytes(length, "little")
