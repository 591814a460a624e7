"""Keyset pages: `?after=<id>&limit=<n>`, at most 200 rows, and the id after which the next page begins."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import msgspec

from hub.gateway.endpoint import Call

MOST = 200
USUAL = 50
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class Page(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The query of a list; the filters of one are the fields that a subclass adds, each None where it is not given."""

    after: UUID | None = None
    limit: Limit = USUAL


def filters_of(call: Call) -> dict[str, Any]:
    """The parameters of a page's statement: `after`, and each filter as text, None where it was not given."""
    asked = msgspec.structs.asdict(call.query)
    return {name: plain(value) for name, value in asked.items() if name != "limit"}


def plain(value: Any) -> str | None:
    """A filter as the database takes it."""
    if value is None:
        return None
    return str(value.value if isinstance(value, Enum) else value)


def page_of(rows: list[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """The first `limit` rows, and the id to ask the next page after; None on the last page."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], str(rows[limit - 1]["id"])
