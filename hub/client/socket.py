"""One Socket.IO v5 session (default namespace) over one WebSocket: ask with an acknowledgement, receive events.

A session is used once: when it is lost, `on_lost` is called and every open question ends with `SocketLost`.
Reconnection is `hub.client.live`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from hub.client.errors import AskRefused, ConnectRefused, SocketLost
from hub.client.websocket import WebSocket, open_websocket

PATH = "/socket.io/?EIO=4&transport=websocket"
ASK_TIMEOUT_SECONDS = 10.0
DEFAULT_SILENCE_SECONDS = 45.0  # Engine.IO's usual ping interval and time-out together
_EVENT = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = msgspec.json.Decoder(str)
_NOTHING = msgspec.Raw(b"null")


class Socket:
    """One session. Make it with `open_socket`."""

    def __init__(self, *, on_event: Callable[[str, msgspec.Raw], None], on_lost: Callable[[Socket], None]) -> None:
        self._on_event, self._on_lost = on_event, on_lost
        self._websocket: WebSocket | None = None
        self._auth: bytes = b"{}"
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._silence_seconds = DEFAULT_SILENCE_SECONDS
        self._heard = time.monotonic()
        self._watch: asyncio.TimerHandle | None = None
        self.is_lost = False
        self._is_greeted_early = False
        self.joined: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self, hub_url: str, auth: Mapping[str, str], headers: dict[str, str] | None = None) -> None:
        """Connect and join. Raises `ConnectRefused`, `SocketLost`, `OSError` or `TimeoutError`."""
        self._auth = orjson.dumps(dict(auth))
        url = hub_url.rstrip("/") + PATH
        self._websocket = await open_websocket(url, on_text=self._text, on_lost=self._lost, headers=headers)
        if self._is_greeted_early:
            self._send(b"40" + self._auth)
        try:
            async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
                await self.joined
        except BaseException:
            self.abort()
            raise

    async def ask(
        self, event: str, payload: Mapping[str, Any], *, timeout_seconds: float = ASK_TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Send an event; its acknowledgement. Raises `AskRefused` or `SocketLost` (also after the time-out)."""
        if self.is_lost or self._websocket is None:
            raise SocketLost(event)
        self._count += 1
        number = self._count
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._websocket.send(b"42%d" % number + orjson.dumps([event, payload]))
        try:
            async with asyncio.timeout(timeout_seconds):
                acknowledged = await answer
        except TimeoutError:
            raise SocketLost(f"no acknowledgement of {event} within {timeout_seconds} s") from None
        finally:
            self._asked.pop(number, None)
        return _accepted(event, acknowledged)

    def close(self) -> None:
        """Leave politely."""
        if self._websocket is not None and not self.is_lost:
            self._websocket.send("41")
            self._websocket.close()

    def abort(self) -> None:
        """Cut the connection."""
        if self._websocket is not None:
            self._websocket.abort()

    def pause(self) -> None:
        """Read nothing more until `resume`; a hub that hears no pong meanwhile ends the session."""
        if self._websocket is not None:
            self._websocket.pause()

    def resume(self) -> None:
        """Read again."""
        if self._websocket is not None:
            self._websocket.resume()

    def _text(self, text: bytes) -> None:
        self._heard = time.monotonic()
        kind = text[:2]
        if kind == b"42":
            self._event(text)
        elif kind == b"43":
            self._acknowledged(text)
        elif text[:1] == b"2":
            self._send(b"3" + text[1:])
        elif text[:1] == b"0":
            self._opened(text)
        elif kind == b"40" and not self.joined.done():
            self.joined.set_result(orjson.loads(text[2:])["sid"])
        elif kind == b"44" and not self.joined.done():
            self.joined.set_exception(_refused(orjson.loads(text[2:])))
            self.joined.exception()  # told to whoever waits; nobody may wait any more
        elif kind == b"41" or text[:1] == b"1":
            self.abort()

    def _opened(self, text: bytes) -> None:
        told = orjson.loads(text[1:])
        self._silence_seconds = (told.get("pingInterval", 25_000) + told.get("pingTimeout", 20_000)) / 1000
        # The hub's greeting may share a segment with its 101: then it is read before `open` has the WebSocket.
        self._is_greeted_early = self._websocket is None
        self._send(b"40" + self._auth)
        self._listen()

    def _event(self, text: bytes) -> None:
        parts = _EVENT.decode(text[text.index(b"[") :])
        self._on_event(_NAME.decode(parts[0]), parts[1] if len(parts) > 1 else _NOTHING)

    def _acknowledged(self, text: bytes) -> None:
        start = text.index(b"[")
        answer = self._asked.get(int(text[2:start]))
        if answer is not None and not answer.done():
            values = orjson.loads(text[start:])
            answer.set_result(values[0] if values else {})

    def _send(self, text: bytes) -> None:
        if self._websocket is not None:
            self._websocket.send(text)

    def _listen(self) -> None:
        """Cut a connection that has been silent for longer than the hub's own pings allow."""
        silent = time.monotonic() - self._heard
        if self.is_lost:
            return
        if silent >= self._silence_seconds:
            self.abort()
            return
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(self._silence_seconds - silent + 0.05, self._listen)

    def _lost(self) -> None:
        self.is_lost = True
        if self._watch is not None:
            self._watch.cancel()
        if not self.joined.done():
            self.joined.set_exception(SocketLost("the socket went away before it had joined"))
            self.joined.exception()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(SocketLost("the socket went away before the acknowledgement"))
        self._on_lost(self)


async def open_socket(
    hub_url: str,
    auth: Mapping[str, str],
    *,
    on_event: Callable[[str, msgspec.Raw], None],
    on_lost: Callable[[Socket], None],
) -> Socket:
    """A joined session. Raises `ConnectRefused`, `SocketLost`, `OSError` or `TimeoutError`."""
    socket = Socket(on_event=on_event, on_lost=on_lost)
    await socket.open(hub_url, auth)
    return socket


def _accepted(event: str, acknowledged: Any) -> dict[str, Any]:
    if not isinstance(acknowledged, dict):
        raise AskRefused(code="bad_answer", message=f"the acknowledgement of {event} is no object")
    if acknowledged.get("ok") is True:
        return acknowledged
    error = dict(acknowledged.get("error") or {})
    code, message = str(error.pop("code", "unknown")), str(error.pop("message", ""))
    raise AskRefused(code=code, message=message, fields=error)


def _refused(told: Any) -> ConnectRefused:
    data = told.get("data") if isinstance(told, dict) else None
    code = data.get("code", "auth.required") if isinstance(data, dict) else "auth.required"
    return ConnectRefused(code=str(code), message=str(told.get("message", "")) if isinstance(told, dict) else "")
