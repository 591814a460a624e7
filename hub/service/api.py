"""`/livez`, `/readyz`, `/metrics` and the two published documents; open to anybody, told nothing private."""

from __future__ import annotations

from typing import Any

import orjson
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, raw

from hub.observability.exposition import exposition

BLUEPRINT = Blueprint("service")


def _json(body: Any, status: int = 200) -> HTTPResponse:
    return raw(orjson.dumps(body), status=status, content_type="application/json")


@BLUEPRINT.get("/livez")
async def live(request: Request) -> HTTPResponse:
    """This worker answers."""
    return _json({"live": True})


@BLUEPRINT.get("/readyz")
async def ready(request: Request) -> HTTPResponse:
    """200 when this start is whole, else 503; the body says why."""
    report = request.app.ctx.health.report()
    return _json(report, 200 if report["ready"] else 503)


@BLUEPRINT.get("/metrics")
async def metrics(request: Request) -> HTTPResponse:
    """Prometheus' text format, over all workers of this host."""
    return raw(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


@BLUEPRINT.get("/v1/openapi.json")
async def openapi(request: Request) -> HTTPResponse:
    """The HTTP contract."""
    return _json(request.app.ctx.openapi)


@BLUEPRINT.get("/v1/asyncapi.json")
async def asyncapi(request: Request) -> HTTPResponse:
    """The live contract."""
    return _json(request.app.ctx.asyncapi)
