"""Reading the audit: who changed what, when and why, with the link that chains each row."""

from __future__ import annotations

from typing import Any

import orjson

from db.audit_reading import AUDIT_PAGE
from hub.gateway.endpoint import Call


async def list_audit(call: Call) -> dict[str, Any]:
    """A page of rows, newest first."""
    asked = call.query
    async with call.house.database.connection() as conn:
        rows = await AUDIT_PAGE.rows(
            conn, entity=asked.entity, entity_id=asked.entity_id, actor=asked.actor, before=asked.after,
            most=asked.limit + 1,
        )  # fmt: skip
    page = [
        dict(row) | {"row": None if row["row"] is None else orjson.loads(row["row"])} for row in rows[: asked.limit]
    ]
    return {"audit": page, "next": str(page[-1]["id"]) if len(rows) > asked.limit else None}
