"""Reading the audit: who changed what, when and why, with the link that chains each row."""

from __future__ import annotations

from typing import Any

import orjson

from db.audit_reading import AUDIT_PAGE
from hub.domain.errors import BadRequest
from hub.gateway.endpoint import Call
from hub.gateway.paging import MOST, USUAL
from hub.users.people import check_everywhere

FILTERS = ("entity", "entity_id", "actor")
LONGEST_NUMBER = 18


async def list_audit(call: Call) -> dict[str, Any]:
    """A page of rows, newest first; `?entity=`, `?entity_id=`, `?actor=`, `?after=` a row's id, `?limit=`."""
    check_everywhere(call)
    unknown = call.query.keys() - {*FILTERS, "after", "limit"}
    if unknown:
        raise BadRequest(f"unknown query parameter {min(unknown)!r}", code="query.unknown")
    limit = _number(call, "limit", USUAL) or 0
    if not 1 <= limit <= MOST:
        raise BadRequest(f"`limit` is 1 to {MOST}", code="query.invalid")
    filters = {name: call.query.get(name) for name in FILTERS}
    async with call.house.database.connection() as conn:
        rows = await AUDIT_PAGE.rows(conn, **filters, before=_number(call, "after"), most=limit + 1)
    page = [dict(row) | {"row": None if row["row"] is None else orjson.loads(row["row"])} for row in rows[:limit]]
    return {"audit": page, "next": str(page[-1]["id"]) if len(rows) > limit else None}


def _number(call: Call, name: str, usual: int | None = None) -> int | None:
    value = call.query.get(name)
    if value is None:
        return usual
    if not (value.isascii() and value.isdigit() and len(value) <= LONGEST_NUMBER):
        raise BadRequest(f"`{name}` is a number", code="query.invalid")
    return int(value)
