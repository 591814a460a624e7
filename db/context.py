"""Who acts and why: handed to the triggers inside the very statement that writes.

`acting()` is a CTE that sets the transaction-local setting `hotpass.context`. A writing statement joins it with
`happens()` in its WHERE, so that the setting stands before the first row changes, in one round trip.
"""

from __future__ import annotations

import json

from sqlalchemy import CTE, ColumnElement, Text, bindparam, func, select

PARAMETER = "context"


def acting() -> CTE:
    """The CTE; its parameter is `context`, made by `context()`."""
    setting = func.set_config("hotpass.context", bindparam(PARAMETER, type_=Text, required=True), True)
    return select(setting.label("setting")).cte("acting")


def happens(actor: CTE) -> ColumnElement[bool]:
    """A condition that is always true and is evaluated before any row is touched."""
    return select(actor.c.setting).scalar_subquery().is_not(None)


def context(*, actor: str, reason: str | None = None, request_id: str | None = None) -> str:
    """The value of the parameter `context`: what the audit row will say."""
    return json.dumps({"actor": actor, "reason": reason, "request_id": request_id})
