"""One HTTP route as data, and the walk that every request takes through it.

    request id ─► token → principal ─► rate ─► permission anywhere? ─► body ─► idempotency key ─► query ─► handler

Invariant: a route exists only with a permission (or is marked public), so nothing is open by forgetting. The OpenAPI
document, the rate classes and the access matrix are made from the same rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, raw

from hub.domain.errors import Forbidden, RateLimited, Unauthenticated
from hub.domain.roles import EVERYWHERE_ONLY, Permission, Principal, Reach, may_anywhere, reach
from hub.gateway.decoding import decode_body, decode_query, expected_version, hash_of, idempotency_key
from hub.gateway.deprecation import Deprecation
from hub.gateway.house import House
from hub.gateway.rate_limit import RateClass, asks_for, class_of

Handler = Callable[["Call"], Awaitable[Any]]


class NoBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a move that needs nothing more."""


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The query of a route that takes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. `permission` None: anybody signed in; `is_keyed` routes create or move and need an idempotency key.

    `query` is the type of its query string, `answer` the shape of its answer (`hub.gateway.shapes`).
    """

    method: str
    path: str
    summary: str
    permission: Permission | None
    body: type[msgspec.Struct] | None
    is_keyed: bool
    rate_class: RateClass
    is_public: bool
    status: int = 200
    query: type[msgspec.Struct] = NoQuery
    answer: Any = None
    deprecation: Deprecation | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way: what a handler needs, decoded and allowed."""

    house: House
    request: Request
    route: Route
    ids: dict[str, str]
    principal: Principal | None
    body: Any
    key: str | None
    request_hash: bytes
    request_id: str
    expected_version: int | None
    query: Any

    @property
    def who(self) -> Principal:
        """The principal of a route that is not public."""
        if self.principal is None:
            raise Unauthenticated("sign in first: send Authorization: Bearer <access token>")
        return self.principal

    @property
    def reach(self) -> Reach:
        """How far the route's permission reaches for this principal."""
        if self.route.permission is None:
            return Reach(owner_id=self.who.person_id)
        return reach(self.who, self.route.permission)


class Endpoints:
    """The routes of one noun, gathered for its blueprint and for the documents."""

    def __init__(self, name: str) -> None:
        self.blueprint = Blueprint(name)
        self.routes: list[Route] = []

    def route(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        permission: Permission | None = None,
        body: type[msgspec.Struct] | None = None,
        is_keyed: bool | None = None,
        rate_class: RateClass | None = None,
        is_public: bool = False,
        status: int = 200,
        query: type[msgspec.Struct] = NoQuery,
        answer: Any = None,
        deprecation: Deprecation | None = None,
    ) -> Callable[[Handler], Handler]:
        """Serve `path` (below /v1) by the decorated handler. A route without permission is for anybody signed in.

        A handler returns a JSON object, or `(object, status)`, or a ready `HTTPResponse`.
        """
        is_write = method != "GET"
        route = Route(
            method=method,
            path="/v1" + path,
            summary=summary,
            permission=permission,
            body=body if body is not None or not is_write else NoBody,
            is_keyed=(method == "POST") if is_keyed is None else is_keyed,
            rate_class=rate_class or class_of(method, permission),
            is_public=is_public,
            status=status,
            query=query,
            answer=answer,
            deprecation=deprecation,
        )

        def register(handler: Handler) -> Handler:
            async def handle(request: Request, **ids: Any) -> HTTPResponse:
                call = await admit(route, request, ids)
                return as_response(await handler(call), route.status)

            self.routes.append(route)
            self.blueprint.add_route(handle, route.path, methods=[method], name=f"{method}_{path}".replace("/", "_"))
            return handler

        return register


async def admit(route: Route, request: Request, ids: dict[str, Any]) -> Call:
    """Authenticate, authorise, and decode. Raises the refusal that fits."""
    house: House = request.app.ctx.house
    if route.deprecation is not None:
        tell(request, route.deprecation.headers(ids))
    principal = await authenticate(house, request, is_public=route.is_public)
    request.ctx.principal = principal
    await take_a_turn(house, route, request, principal)
    if principal is not None and route.permission is not None and not may_anywhere(principal, route.permission):
        where = " everywhere" if route.permission in EVERYWHERE_ONLY else ""
        raise Forbidden(f"your roles do not include {route.permission}{where}")
    body = decode_body(route.body, request.body) if route.body is not None else None
    key = idempotency_key(request, is_required=route.is_keyed and not route.is_public)
    return Call(
        house=house,
        request=request,
        route=route,
        ids={name: str(value) for name, value in ids.items()},
        principal=principal,
        body=body,
        key=key,
        request_hash=b"" if key is None else hash_of(request),
        request_id=request.ctx.request_id,
        expected_version=expected_version(request),
        query=decode_query(route.query, request),
    )


async def authenticate(house: House, request: Request, *, is_public: bool) -> Principal | None:
    """The principal of the bearer token; None on a public route without one."""
    header = request.headers.get("authorization")
    if header is None:
        if is_public:
            return None
        raise Unauthenticated("sign in first: send Authorization: Bearer <access token>")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("the Authorization header must be: Bearer <access token>", code="auth.invalid")
    claims = house.verified.access(token.strip())
    return await house.authority.principal(claims.person_id, claims.session_id, claims.expires_at)


async def take_a_turn(house: House, route: Route, request: Request, principal: Principal | None) -> None:
    """Count the request against its limits. Raises `RateLimited`; the answer tells how the limit stands either way."""
    who = None if principal is None else principal.person_id
    verdict = await house.limiter.take(asks_for(route.rate_class, address=request.ctx.address, principal_id=who))
    if verdict is None:
        return
    tell(request, verdict.headers())
    if not verdict.is_allowed:
        raise RateLimited(retry_after=verdict.retry_after_seconds)


def tell(request: Request, headers: dict[str, str]) -> None:
    """Let the answer carry these headers, whatever it will be."""
    request.ctx.told = getattr(request.ctx, "told", {}) | headers


def as_response(answer: Any, usual_status: int = 200) -> HTTPResponse:
    """A handler's answer as JSON."""
    if isinstance(answer, HTTPResponse):
        return answer
    body, status = answer if isinstance(answer, tuple) else (answer, usual_status)
    return raw(orjson.dumps(body), status=status, content_type="application/json")
