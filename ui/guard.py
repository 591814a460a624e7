"""Who may talk to this server: every request and every WebSocket passes here before anything else.

The host must be ours (a rebound DNS name is not), a WebSocket or a POST must come from a page of ours, and every answer
carries the headers that keep other sites out. NiceGUI itself accepts every origin; its pages need inline scripts and
Vue's compiler, so a strict policy is only possible on the customer's page, which the hub serves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """The outermost layer. `ui_url` is this server as browsers see it, `hub_url` the hub that pages may talk to."""

    def __init__(self, app: Application, *, ui_url: str, hub_url: str) -> None:
        self.app = app
        self.ui_url = ui_url.rstrip("/")
        self.origin = _origin(ui_url)
        self.host = urlsplit(ui_url).netloc
        self.headers = _headers(hub_url, is_secure=ui_url.startswith("https://"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add the headers."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if told.get("host") != self.host:
            await self._wrong_host(scope, told.get("host", ""), send)
        elif not self._is_from_us(scope, told.get("origin")):
            await _refuse(scope, send, status=403, text="This page may not talk to Hotpass")
        else:
            await self.app(scope, receive, self._with_headers(scope, send))

    def _is_from_us(self, scope: Scope, origin: str | None) -> bool:
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return origin in (None, self.origin) or not scope["path"].startswith("/_nicegui_ws")
        return origin == self.origin

    async def _wrong_host(self, scope: Scope, host: str, send: Send) -> None:
        """Another name of the loopback is led to the right one, everything else is refused."""
        names = (host.rpartition(":")[0] or host, self.host.rpartition(":")[0])
        if scope["type"] == "http" and scope["method"] == "GET" and all(name in LOOPBACK_NAMES for name in names):
            query = scope["query_string"].decode("latin-1")
            place = self.ui_url + scope["raw_path"].decode("latin-1").partition("?")[0] + (f"?{query}" if query else "")
            await _refuse(scope, send, status=307, text="", headers=[(b"location", place.encode("latin-1"))])
        else:
            await _refuse(scope, send, status=421, text=f"Hotpass is at {self.ui_url}")

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        is_fresh = not scope["path"].startswith("/_nicegui/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in self.headers}
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in own]
                if is_fresh and not any(name.lower() == b"cache-control" for name, _ in kept):
                    kept.append((b"cache-control", b"no-cache"))
                message = {**message, "headers": [*kept, *self.headers]}
            await send(message)

        return send_with_headers


def _headers(hub_url: str, *, is_secure: bool) -> list[tuple[bytes, bytes]]:
    hub = _origin(hub_url)
    socket = hub.replace("http", "ws", 1)
    policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; font-src 'self' data:; connect-src 'self' {hub} {socket}; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "geolocation=(self), camera=(), microphone=(), payment=()",
    }
    if is_secure:
        headers["strict-transport-security"] = "max-age=31536000"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _refuse(
    scope: Scope, send: Send, *, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    plain = [(b"content-type", b"text/plain; charset=utf-8"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": plain})
    await send({"type": "http.response.body", "body": text.encode()})
