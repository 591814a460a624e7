"""One effect per key: the answer of a creating or moving request is stored in the very statement that does it.

A second request with the same key runs into the primary key, its statement is undone whole, and the stored answer is
given instead. There is no moment in which the effect exists without its answer, or the answer without its effect.
"""

from __future__ import annotations

from sqlalchemy import CTE, ColumnElement, Integer, LargeBinary, bindparam, delete, func, insert, select, text
from sqlalchemy.sql import FromClause

from db.metadata import ID, given, table
from db.statement import Statement

idempotency = table(
    "idempotency",
    ids="principal_id",
    texts="key answer",
    binaries="request_hash",
    integers="status",
    times="created_at",
)

CONSTRAINT = "idempotency_pk"
KEEP_HOURS = 48


def remembering(source: FromClause, answer: ColumnElement[str], *, status: int = 200) -> CTE:
    """The CTE that stores `answer` for each row of `source`; without a key none.

    Parameters: principal_id, key, request_hash.
    """
    row = select(
        given("principal_id", ID),
        given("key"),
        given("request_hash", LargeBinary),
        bindparam(None, status, type_=Integer),
        answer,
    ).select_from(source)
    columns = ["principal_id", "key", "request_hash", "status", "answer"]
    return insert(idempotency).from_select(columns, row.where(given("key").is_not(None))).cte("remembered")


# primary key
STORED = Statement(
    select(idempotency.c.request_hash, idempotency.c.status, idempotency.c.answer).where(
        idempotency.c.principal_id == given("principal_id", ID), idempotency.c.key == given("key")
    )
)
# index idempotency_created
FORGET = Statement(
    delete(idempotency).where(
        idempotency.c.created_at < func.clock_timestamp() - text(f"interval '{KEEP_HOURS} hours'")
    )
)
