"""What an HTTP request must show before it may open, poll or upgrade an Engine.IO v4 session.

Invariant: nothing is made for a request that fails a check. Refusals carry the codes and words of the reference
implementation, so that any client's error handling understands them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson
from sanic import Request
from sanic.response import HTTPResponse

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
UNKNOWN_TRANSPORT, UNKNOWN_SESSION, BAD_METHOD, BAD_REQUEST, FORBIDDEN, UNSUPPORTED_VERSION = range(6)
WORDS = (
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
)


class Refusal(Exception):
    """A request that is not let in."""

    def __init__(
        self, code: int, status: int = 400, headers: dict[str, str] | None = None, *, message: str = ""
    ) -> None:
        super().__init__(message or WORDS[code])
        self.code = code
        self.status = status
        self.headers = headers or {}

    def response(self) -> HTTPResponse:
        """The answer, in the reference implementation's shape."""
        body = orjson.dumps({"code": self.code, "message": str(self)})
        return HTTPResponse(body, self.status, self.headers, "application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that may go on: for which session, over which transport."""

    sid: str | None
    is_websocket: bool
    method: str


def asked(request: Request, *, allow_polling: bool) -> Asked:
    """Reads the query of a request, its checks in the reference's order. Raises `Refusal`."""
    try:
        query = parse_qs(request.query_string, keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Refusal(BAD_REQUEST) from error
    transports = query.get("transport", [])
    if transports != ["websocket"] and not (allow_polling and transports == ["polling"]):
        raise Refusal(UNKNOWN_TRANSPORT)
    sids = query.get("sid", [])
    is_websocket = transports == ["websocket"]
    if len(sids) > 1:
        raise Refusal(BAD_REQUEST)
    if request.method != "GET" and not sids:
        raise Refusal(BAD_METHOD)
    if query.get("EIO", ["4"] if sids else []) != ["4"]:
        raise Refusal(UNSUPPORTED_VERSION)
    if request.method != "GET" and (is_websocket or request.method != "POST"):
        raise Refusal(BAD_REQUEST)
    return Asked(sid=sids[0] if sids else None, is_websocket=is_websocket, method=request.method)


def websocket_accept(request: Request) -> bytes:
    """The whole 101 answer to a WebSocket handshake. Raises `Refusal` where RFC 6455 section 4.2.1 is not met."""
    headers = request.headers
    upgrades = {token.strip().lower() for token in ",".join(headers.getall("upgrade", [])).split(",")}
    connections = {token.strip().lower() for token in ",".join(headers.getall("connection", [])).split(",")}
    if "websocket" not in upgrades or "upgrade" not in connections or request.version != "1.1":
        raise Refusal(BAD_REQUEST)
    if headers.getall("sec-websocket-version", []) != ["13"]:
        raise Refusal(BAD_REQUEST, 426, {"Sec-WebSocket-Version": "13"})
    keys = headers.getall("sec-websocket-key", [])
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refusal(BAD_REQUEST)
    accept = base64.b64encode(hashlib.sha1(keys[0].strip().encode() + WEBSOCKET_GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.strip(), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def allowed_origin(request: Request, is_origin_allowed: Callable[[str | None], bool]) -> str | None:
    """The browser origin of a request, None where there is none. Raises `Refusal` for one that is not allowed."""
    origins = request.headers.getall("origin", [])
    if len(origins) > 1 or not is_origin_allowed(origins[0] if origins else None):
        raise Refusal(FORBIDDEN, 403)
    return origins[0] if origins else None


def environ_of(request: Request, address: str) -> dict[str, Any]:
    """What connect handlers see of the handshake, WSGI-like; it does not keep the request alive."""
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query_string,
        "REMOTE_ADDR": address,
        "wsgi.url_scheme": request.scheme,
    }
    for name in request.headers:
        environ["HTTP_" + name.upper().replace("-", "_")] = ",".join(request.headers.getall(name))
    return environ
