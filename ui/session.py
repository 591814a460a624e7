"""The sign-in of a browser: one HttpOnly cookie with the refresh token, exchanged for short access tokens.

    terminal ──/enter?link──► hub /v1/auth/demo ──► cookie, then the role's home
    page     ──POST /session/token──► hub /v1/auth/refresh ──► {access_token, expires_in_seconds}, cookie renewed

Invariant: a refresh token is spent once. Tabs share one cookie and ask at the same time, so all who come with the same
token wait for one exchange and get its answer, also for a moment afterwards (an answer may be lost on its way).
The access token lives only in the page's memory; the page never sees the refresh token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from hub.client.errors import ApiError, Unreachable
from hub.client.http import Api, open_session

COOKIE_SECONDS = 30 * 24 * 3600
REPEAT_SECONDS = 20.0
PATIENCE_SECONDS = 4.0
REQUEST_HEADER = "x-hotpass-request"
HOMES = ("/kitchen/", "/rider", "/operations/", "/home")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the hub answered to a sign-in or a refresh."""

    access_token: str
    expires_at: float
    refresh_token: str

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Tokens:
        """From the hub's JSON; `expires_at` may be a time stamp or ISO 8601 text."""
        told = answer["expires_at"]
        expires_at = datetime.fromisoformat(told).timestamp() if isinstance(told, str) else float(told)
        return cls(
            access_token=str(answer["access_token"]),
            expires_at=expires_at,
            refresh_token=str(answer["refresh_token"]),
        )


@dataclass(slots=True)
class Exchange:
    """Refreshes at the hub, at most one at a time per refresh token. `refresh(token)` is the hub's route."""

    refresh: Callable[[str], Awaitable[dict[str, Any]]]
    monotonic: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[float, asyncio.Task[Tokens]]] = field(default_factory=dict)

    async def tokens(self, refresh_token: str) -> Tokens:
        """The tokens that `refresh_token` was or will be exchanged for. Raises `ApiError` or `Unreachable`."""
        self._forget_old()
        known = self._running.get(refresh_token)
        if known is None:
            task = asyncio.create_task(self._exchange(refresh_token))
            self._running[refresh_token] = (self.monotonic(), task)
        else:
            task = known[1]
        try:
            return await asyncio.shield(task)
        except (ApiError, Unreachable):
            self._running.pop(refresh_token, None)
            raise

    async def _exchange(self, refresh_token: str) -> Tokens:
        return Tokens.read(await self.refresh(refresh_token))

    def _forget_old(self) -> None:
        now = self.monotonic()
        old = [key for key, (at, task) in self._running.items() if task.done() and now - at > REPEAT_SECONDS]
        for key in old:
            del self._running[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """The cookie of a sign-in. `is_secure` is False on loopback only, where there is no TLS."""

    is_secure: bool

    @property
    def name(self) -> str:
        """The `__Host-` prefix binds the cookie to this host and to TLS."""
        return "__Host-hotpass" if self.is_secure else "hotpass"

    def read(self, request: Request) -> str | None:
        """The refresh token of the browser."""
        return request.cookies.get(self.name)

    def keep(self, response: Response, refresh_token: str) -> None:
        """Give the browser a refresh token."""
        response.set_cookie(
            self.name, refresh_token, max_age=COOKIE_SECONDS, path="/", secure=self.is_secure, httponly=True,
            samesite="strict",
        )  # fmt: skip

    def forget(self, response: Response) -> None:
        """Take it away."""
        response.delete_cookie(self.name, path="/", secure=self.is_secure, httponly=True, samesite="strict")


def session_routes(*, hub_url: str, cookie: Cookie) -> APIRouter:
    """The routes `/enter`, `/session/token`, `/session/end` and those of the login page."""
    router = APIRouter()
    door = _Door(hub_url)
    exchange = Exchange(door.refresh)

    @router.get("/enter")
    async def enter(link: str) -> Response:
        try:
            answer = await door.post("/v1/auth/demo", {"link": link})
        except (ApiError, Unreachable):
            return RedirectResponse("/login?told=link", status_code=303)
        return _signed_in(RedirectResponse(_home(answer), status_code=303), answer, cookie)

    @router.post("/session/token")
    async def token(request: Request) -> Response:
        refresh_token = cookie.read(request)
        if refresh_token is None or REQUEST_HEADER not in request.headers:
            return JSONResponse({"code": "auth.required"}, status_code=401)
        try:
            tokens = await exchange.tokens(refresh_token)
        except ApiError as error:
            if error.status not in (400, 401, 403, 422):
                return JSONResponse({"code": "unavailable"}, status_code=503)
            response: Response = JSONResponse({"code": error.code}, status_code=401)
            cookie.forget(response)
            return response
        except Unreachable:
            return JSONResponse({"code": "unavailable"}, status_code=503)
        left = max(0.0, tokens.expires_at - datetime.now(UTC).timestamp())
        response = JSONResponse({"access_token": tokens.access_token, "expires_in_seconds": left})
        response.headers["Cache-Control"] = "no-store"
        cookie.keep(response, tokens.refresh_token)
        return response

    @router.post("/session/end")
    async def end(request: Request) -> Response:
        refresh_token = cookie.read(request)
        response = JSONResponse({"ok": True})
        cookie.forget(response)
        if refresh_token is not None and REQUEST_HEADER in request.headers:
            try:
                await door.post("/v1/auth/logout", {"refresh_token": refresh_token})
            except (ApiError, Unreachable):
                return response
        return response

    @router.post("/session/{step}")
    async def sign_in(step: str, request: Request) -> Response:
        path = {"otp": "/v1/auth/otp", "verify": "/v1/auth/otp/verify", "password": "/v1/auth/password"}.get(step)
        if path is None or REQUEST_HEADER not in request.headers:
            return JSONResponse({"code": "not_found"}, status_code=404)
        try:
            answer = await door.post(path, await request.json())
        except ApiError as error:
            told = {"code": error.code, "detail": error.detail, **error.fields}
            return JSONResponse(told, status_code=error.status)
        except (Unreachable, ValueError):
            return JSONResponse({"code": "unavailable", "detail": "The hub is away. Try again."}, status_code=503)
        if "refresh_token" not in answer:
            return JSONResponse(answer)
        return _signed_in(JSONResponse({"home": _home(answer)}), answer, cookie)

    return router


def _signed_in(response: Response, answer: dict[str, Any], cookie: Cookie) -> Response:
    cookie.keep(response, Tokens.read(answer).refresh_token)
    response.headers["Cache-Control"] = "no-store"
    return response


def _home(answer: dict[str, Any]) -> str:
    """The page to open after signing in; only pages of our own, whatever the answer says."""
    home = str(answer.get("home") or "/home")
    return home if home.startswith(HOMES) and "//" not in home else "/home"


@dataclass(slots=True)
class _Door:
    """The hub's HTTP door, opened at the first use (a session belongs to a running loop)."""

    hub_url: str
    _api: Api | None = None

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST without an access token."""
        if self._api is None:
            self._api = Api(hub_url=self.hub_url, session=open_session(), patience_seconds=PATIENCE_SECONDS)
        return await self._api.post(path, body)

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        """Exchange a refresh token."""
        return await self.post("/v1/auth/refresh", {"refresh_token": refresh_token})
