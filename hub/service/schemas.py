"""The JSON Schemas of the OpenAPI document: bodies, query parameters and answers, as the routes declare them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from hub.domain.views import VIEWS
from hub.gateway.endpoint import NoQuery, Route
from hub.gateway.shapes import Row, always_of, fields_of

# A time that is told always has its offset from UTC.
TIME = Annotated[datetime, msgspec.Meta(tz=True)]
EXACT: dict[Any, Any] = {datetime: TIME, datetime | None: TIME | None}
TEMPLATE = "#/components/schemas/{name}"
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+(\\.[a-z0-9_]+)*$"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "path": {"type": "string", "description": "Where in the body the fault is."},
        "retry_after": {"type": "integer", "minimum": 0, "description": "Seconds; also in Retry-After."},
        "legal": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The moves that the present state allows.",
        },
        "row": {"type": ["object", "null"], "description": "The present row, as far as the caller may see it."},
        "version": {"type": "integer", "description": "The present version, where another was expected."},
    },
}


class Schemas:
    """The schemas of some routes. `components` are those that others refer to."""

    def __init__(self, routes: Sequence[Route]) -> None:
        kinds = list(dict.fromkeys(_kinds(routes)))
        exact = [EXACT.get(kind, kind) for kind in kinds]
        schemas, named = msgspec.json.schema_components(exact, ref_template=TEMPLATE)
        self._of: dict[Any, dict[str, Any]] = dict(zip(kinds, schemas, strict=True))
        rows = {_name_of(entity): self._row(entity) for entity in VIEWS}
        self.components: dict[str, Any] = {**named, **rows, "Problem": PROBLEM}

    def of(self, shape: Any) -> dict[str, Any]:
        """The schema of a shape."""
        if isinstance(shape, Row):
            return {"$ref": TEMPLATE.format(name=_name_of(shape.entity))}
        if isinstance(shape, list):
            return {"type": "array", "items": self.of(shape[0])}
        if isinstance(shape, dict):
            properties = {name.rstrip("?"): self.of(inner) for name, inner in shape.items()}
            return _object(properties, [name for name in shape if not name.endswith("?")])
        return self._of[shape]

    def query(self, route: Route) -> Iterator[dict[str, Any]]:
        """The query parameters of a route."""
        for field in msgspec.structs.fields(route.query):
            schema = self._of[field.type]
            if not field.required and field.default is not None:
                schema = {**schema, "default": field.default}
            yield {"name": field.name, "in": "query", "required": field.required, "schema": _without_null(schema)}

    def _row(self, entity: str) -> dict[str, Any]:
        return _object({name: self.of(kind) for name, kind in fields_of(entity).items()}, always_of(entity))


def _name_of(entity: str) -> str:
    return f"{entity}.row"


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is left out: there is no null in a query string."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema


def _kinds(routes: Sequence[Route]) -> Iterator[Any]:
    """Every type whose schema is needed, each as often as it stands somewhere; bodies first, by name."""
    bodies = {route.body for route in routes if route.body is not None}
    yield from sorted(bodies, key=lambda body: (body.__qualname__, body.__module__))
    for route in routes:
        if route.query is not NoQuery:
            yield from (field.type for field in msgspec.structs.fields(route.query))
        yield from _leaves(route.answer)
    for entity in VIEWS:
        yield from fields_of(entity).values()


def _leaves(shape: Any) -> Iterator[Any]:
    if isinstance(shape, list):
        yield from _leaves(shape[0])
    elif isinstance(shape, dict):
        for inner in shape.values():
            yield from _leaves(inner)
    elif shape is not None and not isinstance(shape, Row):
        yield shape
