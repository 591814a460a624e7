"""Refusals as problem documents (RFC 9457): the one place where an exception becomes an HTTP answer.

Every answer says what, why and what to do; what the house did not expect is logged whole and answered generically.
"""

from __future__ import annotations

from typing import Any

import asyncpg
import orjson
from redis.exceptions import RedisError
from sanic import Request, Sanic
from sanic.exceptions import SanicException
from sanic.response import HTTPResponse, raw

from db.connection import DATABASE_AWAY
from hub.domain.errors import (
    BadRequest,
    Conflict,
    NotFound,
    Refusal,
    TooLarge,
    Unavailable,
    UnknownVersion,
    Unprocessable,
)
from hub.domain.security import KIND_OF_CODE
from hub.observability import logs, metrics

LOG = logs.get(__name__)
PROBLEM = "application/problem+json"
TYPES = "https://hotpass.dev/problems/"

# What the database's own guards say (migrations 0003), as refusals.
GUARDS: dict[str, tuple[str, str]] = {
    "HP001": ("wrong_state", "this move is not legal from the present state: read it again"),
    "HP010": ("kitchen.closed", "this kitchen is closed: order elsewhere or later"),
    "HP011": ("kitchen.paused", "this kitchen takes no orders for a while: try again later"),
    "HP012": ("kitchen.full", "this kitchen has as many orders as it can cook: try again in a few minutes"),
    "HP030": ("address.too_many", "you have twenty addresses: forget one before you add another"),
    "HP031": ("order.blocked", "this order cannot be taken: ask the kitchen"),
    "HP032": ("order.prepaid_only", "this order must be paid before it is cooked"),
    "HP033": ("role.last_administrator", "the last administrator cannot be removed: appoint another one first"),
    "HP034": ("order.under_review", "this order waits for a manager's review: it can be accepted after that"),
    "HP020": ("rider.full", "this rider has no room for another order"),
}
REFUSED_VALUES = (asyncpg.DataError, asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError)
FOR_A_MOMENT: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((*DATABASE_AWAY, RedisError, asyncpg.InsufficientResourcesError), "a part of the house is away for a moment"),
    (
        (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.QueryCanceledError),
        "too many at once on the same thing",
    ),
)
_SANIC = {404: NotFound, 413: TooLarge}


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal that an exception stands for; None when the house did not expect it."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, SanicException):
        return _of_sanic(error)
    if isinstance(error, asyncpg.PostgresError) and (guard := GUARDS.get(error.sqlstate or "")):
        return Conflict(guard[1], code=guard[0])
    if isinstance(error, REFUSED_VALUES):
        return Unprocessable("a value is out of range or names something that does not exist")
    detail = next((words for kinds, words in FOR_A_MOMENT if isinstance(error, kinds)), None)
    return None if detail is None else Unavailable(f"{detail}; repeat the request with the same key", retry_after=1)


def _of_sanic(error: SanicException) -> Refusal:
    status = error.status_code or 400
    if status == 404:
        return NotFound("there is nothing at this path", code="not_found")
    refusal = _SANIC.get(status, BadRequest)(str(error) or "the request cannot be read")
    refusal.status = status if status < 500 or status == 503 else 400
    refusal.code = {405: "method_not_allowed", 408: "timeout", 413: "too_large", 503: "unavailable"}.get(
        status, refusal.code
    )
    return refusal


def problem(refusal: Refusal, request_id: str) -> HTTPResponse:
    """The answer for a refusal."""
    body: dict[str, Any] = {
        "type": TYPES + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.detail,
        "request_id": request_id,
        **refusal.fields,
    }
    headers = {}
    if "retry_after" in refusal.fields:
        headers["Retry-After"] = str(refusal.fields["retry_after"])
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    metrics.REFUSALS.labels(refusal.code).inc()
    return raw(orjson.dumps(body), status=refusal.status, content_type=PROBLEM, headers=headers)


async def answer_error(request: Request, error: Exception) -> HTTPResponse:
    """Sanic's handler for every exception."""
    request_id = str(getattr(request.ctx, "request_id", ""))
    refusal = refusal_of(error)
    if refusal is None:
        LOG.error("unexpected error", exc_info=error, route=request.path)
        refusal = Refusal("something went wrong here; it was recorded under the request id", code="internal")
        refusal.status, refusal.title = 500, "Internal error"
    elif isinstance(refusal, NotFound) and refusal.code == "not_found" and _is_other_version(request.path):
        refusal = UnknownVersion("this API version does not exist; versions: v1", versions=["v1"])
    watch_refusal(request, refusal, request_id)
    return problem(refusal, request_id)


def watch_refusal(request: Request, refusal: Refusal, request_id: str) -> None:
    """Note a refusal that an administrator should know of."""
    kind = KIND_OF_CODE.get(refusal.code)
    house = getattr(request.app.ctx, "house", None)
    if kind is None or house is None:
        return
    principal = getattr(request.ctx, "principal", None)
    house.watch.note(
        kind,
        person_id=principal.person_id if principal else refusal.fields.get("person_id"),
        ip=getattr(request.ctx, "address", ""),
        detail=f"{request.method} /{request.route.path}" if request.route else request.method,
        request_id=request_id,
    )


def _is_other_version(path: str) -> bool:
    first = path.strip("/").split("/")[0]
    return len(first) > 1 and first[0] == "v" and first[1:].isdigit() and first != "v1"


def install(app: Sanic[Any, Any]) -> None:
    """Let every exception of the application pass through here."""
    app.error_handler.add(Exception, answer_error)
