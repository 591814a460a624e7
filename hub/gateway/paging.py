"""Keyset pages: `?after=<id>&limit=<n>`, at most 200 rows, and the id after which the next page begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hub.domain.errors import BadRequest
from hub.gateway.endpoint import Call

MOST = 200
USUAL = 50
LIMIT = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """A page as asked for; a filter that was not given is None."""

    after: str | None
    limit: int
    filters: dict[str, str | None]


def page_query(call: Call, *, texts: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> PageQuery:
    """Read the query string. Raises `BadRequest` for an unknown or malformed parameter."""
    unknown = call.query.keys() - {"after", "limit", *texts, *ids}
    if unknown:
        known = ", ".join(("after", "limit", *texts, *ids))
        raise BadRequest(f"unknown query parameter {min(unknown)!r}; known: {known}", code="query.unknown")
    limit = call.query.get("limit", str(USUAL))
    if not LIMIT.fullmatch(limit) or not 1 <= int(limit) <= MOST:
        raise BadRequest(f"`limit` is 1 to {MOST}", code="query.invalid")
    filters = {name: call.query.get(name) for name in texts} | {name: query_id(call, name) for name in ids}
    return PageQuery(after=query_id(call, "after"), limit=int(limit), filters=filters)


def query_id(call: Call, name: str) -> str | None:
    """A query parameter that is an id, or None. Raises `BadRequest` for another form."""
    value = call.query.get(name)
    if value is None:
        return None
    try:
        return str(UUID(value))
    except ValueError as error:
        raise BadRequest(f"`{name}` is not an id", code="query.invalid") from error


def page_of(rows: list[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """The first `limit` rows, and the id to ask the next page after; None on the last page."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], str(rows[limit - 1]["id"])
