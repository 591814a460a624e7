"""What the administration is answered: the shapes that are no entity's row."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from hub.domain.security import SecurityKind, Severity

USER = {
    "id": UUID, "name": str, "locale": str, "time_zone": str, "is_active": bool, "created_at": datetime,
    "erased_at": datetime | None, "merged_into": UUID | None, "version": int,
}  # fmt: skip
REVEALED = {"id": UUID, "label": str, "line": str, "notes": str, "lat": float, "lon": float}
# `link` and `hash` are the row's place in the chain; null until it is chained. `row` is null once its person is erased.
AUDIT = {
    "id": int, "at": datetime, "entity": str, "entity_id": str, "version": int, "event": str, "actor": str,
    "reason": str | None, "request_id": str | None, "row": dict[str, Any] | None, "link": int | None,
    "hash": str | None,
}  # fmt: skip
LOOK = {
    "id": int, "at": datetime, "actor_id": UUID, "subject_id": UUID, "what": str, "reason": str,
    "request_id": str | None,
}  # fmt: skip
COUNT = {"kind": SecurityKind, "severity": Severity, "events": int}
