"""The sign-in of a browser: one HttpOnly cookie with the refresh token, exchanged for short access tokens.

    terminal ──/demo/<link>──► hub /v1/auth/demo ──► cookie, then the role's home
    page     ──POST /session/token──► hub /v1/auth/refresh ──► {access_token, expires_in_seconds}, cookie renewed

Invariant: a refresh token is spent once. Tabs share one cookie and ask at the same time, so all who come with the same
token wait for one exchange and get its answer, also for a moment afterwards (an answer may be lost on its way).
The access token lives only in the page's memory; the page never sees the refresh token.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from hub.client.errors import ApiError, Unreachable
from hub.client.http import Api, open_session

COOKIE_SECONDS = 30 * 24 * 3600
REPEAT_SECONDS = 20.0
PATIENCE_SECONDS = 4.0
REQUEST_HEADER = "x-hotpass-request"
STEPS = {"otp": "/v1/auth/otp", "verify": "/v1/auth/otp/verify", "password": "/v1/auth/password"}
REFUSED = (400, 401, 403, 422)
HOMES = ("/kitchen/", "/rider", "/operations/", "/home")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the hub answered to a sign-in or a refresh."""

    access_token: str
    expires_at: float
    refresh_token: str

    @property
    def person_id(self) -> str:
        """For whom the access token is; read, not verified: it came from the hub itself."""
        payload = self.access_token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])

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
    """Refreshes at the hub, at most one at a time per refresh token. `refresh(token, caller)` is the hub's route."""

    refresh: Callable[[str, str | None], Awaitable[dict[str, Any]]]
    monotonic: Callable[[], float] = time.monotonic
    _running: dict[str, tuple[float, asyncio.Task[Tokens]]] = field(default_factory=dict)

    async def tokens(self, refresh_token: str, caller: str | None = None) -> Tokens:
        """The tokens that `refresh_token` was or will be exchanged for. Raises `ApiError` or `Unreachable`.

        `caller` is from where the browser comes, as `X-Forwarded-For` says it.
        """
        self._forget_old()
        known = self._running.get(refresh_token)
        if known is None:
            task = asyncio.create_task(self._exchange(refresh_token, caller))
            self._running[refresh_token] = (self.monotonic(), task)
        else:
            task = known[1]
        try:
            return await asyncio.shield(task)
        except (ApiError, Unreachable):
            self._running.pop(refresh_token, None)
            raise

    async def _exchange(self, refresh_token: str, caller: str | None) -> Tokens:
        return Tokens.read(await self.refresh(refresh_token, caller))

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


def session_routes(*, hub_url: str, cookie: Cookie, source_address: str | None = None) -> APIRouter:
    """The routes `/enter`, `/session/token`, `/session/end` and those of the login page."""
    desk = Desk(hub_url=hub_url, cookie=cookie, source_address=source_address)
    router = APIRouter()
    router.add_api_route("/enter", desk.enter, methods=["GET"], response_model=None)
    router.add_api_route("/demo/{link}", desk.enter, methods=["GET"], response_model=None)
    router.add_api_route("/session/token", desk.token, methods=["POST"], response_model=None)
    router.add_api_route("/session/end", desk.end, methods=["POST"], response_model=None)
    router.add_api_route("/session/{step}", desk.sign_in, methods=["POST"], response_model=None)
    return router


class Desk:
    """What the session routes do. Each POST needs a header that a form of another site cannot send."""

    def __init__(self, *, hub_url: str, cookie: Cookie, source_address: str | None = None) -> None:
        self._door = _Door(hub_url, source_address)
        self._exchange = Exchange(self._door.refresh)
        self._cookie = cookie

    async def enter(self, link: str, request: Request) -> Response:
        """Exchange a demo link and go to the role's home."""
        try:
            answer = await self._door.post("/v1/auth/demo", {"link": link}, caller=_callers(request))
        except (ApiError, Unreachable):
            return RedirectResponse("/login?told=link", status_code=303)
        return self._signed_in(RedirectResponse(_home(answer), status_code=303), answer)

    async def token(self, request: Request) -> Response:
        """An access token for the page, and a fresh cookie."""
        refresh_token = self._cookie.read(request)
        if refresh_token is None or REQUEST_HEADER not in request.headers:
            return JSONResponse({"code": "auth.required"}, status_code=401)
        try:
            tokens = await self._exchange.tokens(refresh_token, _callers(request))
        except (ApiError, Unreachable) as error:
            return self._not_exchanged(error)
        left = max(0.0, tokens.expires_at - datetime.now(UTC).timestamp())
        told = {"access_token": tokens.access_token, "expires_in_seconds": left, "person_id": tokens.person_id}
        response = JSONResponse(told)
        response.headers["Cache-Control"] = "no-store"
        self._cookie.keep(response, tokens.refresh_token)
        return response

    async def end(self, request: Request) -> Response:
        """Sign out: the cookie goes even when the hub is away."""
        refresh_token = self._cookie.read(request)
        response = JSONResponse({"ok": True})
        if REQUEST_HEADER not in request.headers:
            return response
        self._cookie.forget(response)
        if refresh_token is not None:
            with contextlib.suppress(ApiError, Unreachable):
                caller = _callers(request)
                tokens = await self._exchange.tokens(refresh_token, caller)
                await self._door.post("/v1/auth/logout", {}, access_token=tokens.access_token, caller=caller)
        return response

    async def sign_in(self, step: str, request: Request) -> Response:
        """Pass a step of the login form on; the last one brings the cookie."""
        path = STEPS.get(step)
        if path is None or REQUEST_HEADER not in request.headers:
            return JSONResponse({"code": "not_found"}, status_code=404)
        try:
            answer = await self._door.post(path, await request.json(), caller=_callers(request))
        except ApiError as error:
            told = {"code": error.code, "detail": error.detail, **error.fields}
            return JSONResponse(told, status_code=error.status)
        except (Unreachable, ValueError):
            return JSONResponse({"code": "unavailable", "detail": "The hub is away. Try again."}, status_code=503)
        if "refresh_token" not in answer:
            return JSONResponse(answer)
        return self._signed_in(JSONResponse({"home": _home(answer)}), answer)

    def _signed_in(self, response: Response, answer: dict[str, Any]) -> Response:
        self._cookie.keep(response, Tokens.read(answer).refresh_token)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _not_exchanged(self, error: ApiError | Unreachable) -> Response:
        """Signed out when the hub refused the token; anything else passes, and the cookie stays."""
        if not isinstance(error, ApiError) or error.status not in REFUSED:
            return JSONResponse({"code": "unavailable"}, status_code=503)
        response = JSONResponse({"code": error.code}, status_code=401)
        self._cookie.forget(response)
        return response


def _callers(request: Request) -> str | None:
    """Where the request comes from, for the hub to count by: what was told to us, and who told it, as a proxy does.

    Nothing that was told is believed here: the hub reads from the end, as far as it trusts.
    """
    peer = request.client.host if request.client else None
    return ", ".join(filter(None, [*request.headers.getlist("x-forwarded-for"), peer])) or None


def _home(answer: dict[str, Any]) -> str:
    """The page to open after signing in; only pages of our own, whatever the answer says."""
    home = str(answer.get("home") or "/home")
    return home if home.startswith(HOMES) and "//" not in home else "/home"


@dataclass(slots=True)
class _Door:
    """The hub's HTTP door, opened at the first use (a session belongs to a running loop)."""

    hub_url: str
    source_address: str | None = None
    _session: ClientSession | None = None

    async def post(
        self, path: str, body: dict[str, Any], *, access_token: str | None = None, caller: str | None = None
    ) -> dict[str, Any]:
        """POST as nobody, or as the person of an access token; `caller` is from where the browser comes."""
        if self._session is None:
            self._session = open_session(source_address=self.source_address)
        token = None if access_token is None else (lambda: access_token)
        api = Api(
            hub_url=self.hub_url,
            session=self._session,
            token=token,
            patience_seconds=PATIENCE_SECONDS,
            forwarded_for=caller,
        )
        return await api.post(path, body)

    async def refresh(self, refresh_token: str, caller: str | None) -> dict[str, Any]:
        """Exchange a refresh token."""
        return await self.post("/v1/auth/refresh", {"refresh_token": refresh_token}, caller=caller)
