"""What a row's fields are said to be is what the columns of the database are."""

from __future__ import annotations

from datetime import datetime
from types import NoneType, UnionType
from typing import Any, get_args, get_origin
from uuid import UUID

from db.snapshots import TABLES
from hub.domain.views import VIEWS
from hub.gateway.shapes import fields_of

COLUMNS = """
select column_name, data_type, is_nullable = 'YES' as is_nullable from information_schema.columns
where table_schema = 'public' and table_name = $1
"""
KINDS = {
    "uuid": UUID, "text": str, "integer": int, "bigint": int, "double precision": float, "boolean": bool,
    "timestamp with time zone": datetime, "ARRAY": list,
}  # fmt: skip


def taken_apart(kind: Any) -> tuple[type, bool]:
    """(the plain type, may it be null) of a declared type; an enumeration is text."""
    choices = [one for one in get_args(kind) if one is not NoneType] if isinstance(kind, UnionType) else [kind]
    [plain] = choices
    plain = get_origin(plain) or plain
    return (str if issubclass(plain, str) else plain), isinstance(kind, UnionType)


async def test_every_field_is_what_its_column_is(conn: Any) -> None:
    wrong = []
    for entity in VIEWS:
        rows = await conn.fetch(COLUMNS, TABLES.get(entity, entity))
        columns = {row["column_name"]: (KINDS[row["data_type"]], row["is_nullable"]) for row in rows}
        declared = {name: taken_apart(kind) for name, kind in fields_of(entity).items()}
        wrong += [
            f"{entity}.{name}: {kind} {columns.get(name)}"
            for name, kind in declared.items()
            if kind != columns.get(name)
        ]
    assert wrong == []
