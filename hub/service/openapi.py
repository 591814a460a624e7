"""The OpenAPI document, made from the very routes that are served: nothing can be served and not be published.

What a route declares (path, query, body, answer, permission, key, rate class, deprecation) is all there is: the
refusals that it can answer with follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hub.gateway.endpoint import Route
from hub.gateway.rate_limit import RateClass
from hub.service.schemas import Schemas

PARAMETER = re.compile(r"<(\w+):(\w+)>")
# What is served outside the nouns: path -> (summary, answers by status with their content type).
PLAIN: dict[str, tuple[str, dict[str, str]]] = {
    "/livez": ("This worker answers", {"200": "application/json"}),
    "/readyz": ("This start is whole", {"200": "application/json", "503": "application/json"}),
    "/metrics": ("Metrics of all workers of this host", {"200": "text/plain"}),
    "/v1/openapi.json": ("This document", {"200": "application/json"}),
    "/v1/asyncapi.json": ("The live contract", {"200": "application/json"}),
    "/t/{token}": ("The customer's page", {"200": "text/html", "404": "text/html"}),
    "/worker.js": ("The service worker of the customer's page", {"200": "text/javascript"}),
}
REFUSALS = {
    400: "Malformed: the body is not JSON, a query parameter or a header is not as declared.",
    401: "Nobody is signed in: no token, an expired one, or one that was taken away.",
    403: "The caller's roles do not include this, or the page's origin may not write.",
    404: "There is no such thing, or not for the caller: the answer is the same.",
    409: "The present state does not allow it; where there is a row, it and the legal moves are told.",
    413: "The body is larger than 64 KiB.",
    422: "Well-formed, but not acceptable; `path` names the fault.",
    429: "Too many requests; `Retry-After` says when to come again.",
    503: "A part of the house is away for a moment; nothing was done, repeat it with the same key.",
}
TEXT = {"schema": {"type": "string"}}
LIMITS = {"RateLimit-Limit": TEXT, "RateLimit-Remaining": TEXT, "RateLimit-Reset": TEXT, "RateLimit-Policy": TEXT}
LEAVING = {"Deprecation": TEXT, "Sunset": TEXT, "Link": TEXT}


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 for these routes."""
    schemas = Schemas(routes)
    paths: dict[str, dict[str, Any]] = {path: {"get": _plain(path)} for path in PLAIN}
    for route in routes:
        paths.setdefault(PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hotpass",
            "version": "1",
            "description": "Writes are moves. Changes come by socket: see /v1/asyncapi.json.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                _refusal_name(status): _refusal(words)
                for status, words in {
                    **REFUSALS,
                    0: "Any other refusal (RFC 9457) with a stable dotted `code`.",
                }.items()
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def refusals_of(route: Route) -> Iterator[int]:
    """The statuses with which this route may refuse, all of the declaration."""
    is_write = route.method != "GET"
    yield from (400, 401, 403, 503)
    if is_write or PARAMETER.search(route.path) or route.is_public:
        yield 404
    if is_write:
        yield from (409, 413)
    if is_write or route.query.__struct_fields__:
        yield 422
    if route.rate_class is not RateClass.FREE:
        yield 429


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    words = re.sub(r"[^a-z0-9]+", "_", PARAMETER.sub("by_id", route.path).lower())
    refusals = {
        str(status): {"$ref": f"#/components/responses/{_refusal_name(status)}"} for status in refusals_of(route)
    }
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.method.lower() + words,
        "security": [{}, {"bearer": []}] if route.is_public else [{"bearer": []}],
        "parameters": [*_path_parameters(route), *schemas.query(route), *_header_parameters(route)],
        "responses": {
            str(route.status): _answer(route, schemas),
            **refusals,
            "default": {"$ref": f"#/components/responses/{_refusal_name(0)}"},
        },
    }
    if route.permission is not None:
        operation["x-permission"] = str(route.permission)
    if route.body is not None:
        content = {"application/json": {"schema": schemas.of(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.deprecation is not None:
        operation |= {"deprecated": True, "x-sunset": route.deprecation.sunset.isoformat()}
    return operation


def _answer(route: Route, schemas: Schemas) -> dict[str, Any]:
    headers = {"X-Request-ID": TEXT}
    headers |= {} if route.rate_class is RateClass.FREE else LIMITS
    headers |= {} if route.deprecation is None else LEAVING
    content = {"application/json": {"schema": schemas.of(route.answer)}}
    return {"description": "Done.", "headers": headers, "content": content}


def _refusal_name(status: int) -> str:
    return f"Refusal{status or ''}"


def _refusal(words: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": words, "content": content}


def _plain(path: str) -> dict[str, Any]:
    summary, answers = PLAIN[path]
    return {
        "summary": summary,
        "operationId": "get" + re.sub(r"[^a-z0-9]+", "_", path.rstrip("}")),
        "security": [{}],
        "parameters": [_path_parameter(name, "str") for name in re.findall(r"\{(\w+)\}", path)],
        "responses": {
            status: {"description": "Done." if status == "200" else "Not now.", "content": {kind: {"schema": {}}}}
            for status, kind in answers.items()
        },
    }


def _path_parameter(name: str, kind: str) -> dict[str, Any]:
    schema = {"type": "string"} | ({"format": "uuid"} if kind == "uuid" else {})
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [_path_parameter(name, kind) for name, kind in PARAMETER.findall(route.path)]


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    if route.method == "GET":
        return []
    key = {"type": "string", "pattern": "^[\\x21-\\x7e]{1,100}$"}
    version = {"type": "string", "pattern": '^(W/)?"[0-9]{1,18}"$'}
    is_required = route.is_keyed and not route.is_public
    return [
        {"name": "Idempotency-Key", "in": "header", "required": is_required, "schema": key},
        {"name": "If-Match", "in": "header", "required": False, "schema": version},
    ]
