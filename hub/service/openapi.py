"""The OpenAPI document, made from the very routes that are served: nothing can be served and not be published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from hub.gateway.endpoint import Route

PARAMETER = re.compile(r"<(\w+):(\w+)>")
PROBLEM = {"$ref": "#/components/responses/Problem"}
# What is served outside the nouns: path -> (summary, answers by status with their content type).
PLAIN: dict[str, tuple[str, dict[str, str]]] = {
    "/livez": ("This worker answers", {"200": "application/json"}),
    "/readyz": ("This start is whole", {"200": "application/json", "503": "application/json"}),
    "/metrics": ("Metrics of all workers of this host", {"200": "text/plain"}),
    "/v1/openapi.json": ("This document", {"200": "application/json"}),
    "/v1/asyncapi.json": ("The live contract", {"200": "application/json"}),
    "/t/{token}": ("The customer's page", {"200": "text/html", "404": "text/html"}),
}


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 for these routes."""
    bodies = sorted(
        {route.body for route in routes if route.body is not None}, key=lambda body: body.__qualname__ + body.__module__
    )
    schemas, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    of_body = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {path: {"get": _plain(path)} for path in PLAIN}
    for route in routes:
        paths.setdefault(PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, of_body)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hotpass",
            "version": "1",
            "description": "Writes are moves. Changes come by socket: see /v1/asyncapi.json.",
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _problem()},
            "responses": {
                "Problem": {
                    "description": "A refusal (RFC 9457) with a stable dotted `code`.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, of_body: dict[type[msgspec.Struct], Any]) -> dict[str, Any]:
    words = re.sub(r"[^a-z0-9]+", "_", PARAMETER.sub("by_id", route.path).lower())
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.method.lower() + words,
        "security": [{}] if route.is_public else [{"bearer": []}],
        "parameters": [*_path_parameters(route), *_header_parameters(route)],
        "responses": {
            str(route.status): {
                "description": "Done.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "default": PROBLEM,
        },
    }
    if route.permission is not None:
        operation["x-permission"] = str(route.permission)
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": of_body[route.body]}}}
    return operation


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
    if not route.is_keyed or route.is_public:
        return []
    key = {"type": "string", "pattern": "^[\\x21-\\x7e]{1,100}$"}
    version = {"type": "string", "pattern": '^(W/)?"[0-9]{1,18}"$'}
    return [
        {"name": "Idempotency-Key", "in": "header", "required": True, "schema": key},
        {"name": "If-Match", "in": "header", "required": False, "schema": version},
    ]


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "code": text,
            "detail": text,
            "request_id": text,
        },
    }
