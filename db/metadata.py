"""The one MetaData that every table of the house belongs to, and how a table is written down.

The schema itself is made by the migrations; these tables are for writing statements, and a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.sql import ColumnElement, FromClause, literal_column
from sqlalchemy.types import TypeEngine

METADATA = MetaData()
ID: TypeEngine[Any] = UUID(as_uuid=False)
IDS: TypeEngine[Any] = ARRAY(UUID(as_uuid=False))
TEXTS: TypeEngine[Any] = ARRAY(Text)
TIME: TypeEngine[Any] = DateTime(timezone=True)

TYPES: dict[str, TypeEngine[Any]] = {
    "ids": ID,
    "texts": Text(),
    "integers": Integer(),
    "bigints": BigInteger(),
    "floats": Float(53),
    "booleans": Boolean(),
    "times": TIME,
    "arrays": TEXTS,
    "binaries": LargeBinary(),
}


def table(name: str, **columns: str) -> Table:
    """A table by kinds of column: `table("brand", ids="id kitchen_id", texts="name", bigints="version")`."""
    return Table(
        name, METADATA, *(Column(word, TYPES[kind]) for kind, words in columns.items() for word in words.split())
    )


def given(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Text) -> Any:
    """A parameter that each call must give; its type stands in the statement."""
    return bindparam(name, type_=kind, required=True)


def one_of(column: Any, values: tuple[Any, ...]) -> ColumnElement[bool]:
    """`column = any(…)` over fixed words."""
    return column == any_(bindparam(None, [str(value) for value in values], type_=TEXTS))  # type: ignore[no-any-return]


def as_json(source: FromClause) -> ColumnElement[str]:
    """The whole row of `source` as JSON text, exactly as the change pipeline writes it."""
    return cast(func.row_to_json(literal_column(f'"{source.name}"')), Text)  # type: ignore[attr-defined]


def product_now() -> ColumnElement[Any]:
    """The product clock."""
    return func.product_now(type_=TIME)
