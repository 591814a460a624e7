"""The request's identity and its line in the log: id, route template, status, time; no query, no body, no token."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

import structlog
from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse

from hub.observability import logs, metrics

LOG = logs.get(__name__)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
QUIET = frozenset({"/livez", "/readyz", "/metrics"})


def install(app: Sanic[Any, Any]) -> None:
    """Give every request an id, take the caller's when it is well-formed, and log how it was answered."""

    async def begin(request: Request) -> None:
        given = request.headers.get("x-request-id", "")
        request.ctx.request_id = given if REQUEST_ID.match(given) else uuid4().hex
        request.ctx.started_at = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=request.ctx.request_id)

    async def end(request: Request, response: BaseHTTPResponse) -> None:
        response.headers["X-Request-ID"] = str(getattr(request.ctx, "request_id", ""))
        seconds = time.perf_counter() - getattr(request.ctx, "started_at", time.perf_counter())
        template = "/" + request.route.path if request.route else "unknown"
        metrics.REQUESTS.labels(template, request.method, response.status).inc()
        metrics.REQUEST_SECONDS.labels(template).observe(seconds)
        if request.path not in QUIET:
            principal = getattr(request.ctx, "principal", None)
            LOG.info(
                "answered",
                route=template,
                method=request.method,
                status=response.status,
                ms=round(seconds * 1000, 2),
                actor=principal.person_id if principal else None,
            )

    app.register_middleware(begin, "request", priority=100)
    app.register_middleware(end, "response", priority=100)
