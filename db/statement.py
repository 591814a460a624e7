"""A SQLAlchemy Core statement compiled once, at its first use, and run by name on a raw asyncpg connection.

`databases` compiles every Core expression at every call (4-8 ms for a larger one); here that happens once per process
(not at import: all of them together are a fifth of a second of its start), and asyncpg keeps the prepared form per
connection (0.25 ms a call). Every statement of the house is one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql import ClauseElement

_DIALECT = cast("Any", dialect)()
# asyncpg ships no types: its connections and records go by these names.
Connection: TypeAlias = Any
Record: TypeAlias = Any


class Statement:
    """One SQL text with named parameters in a fixed order.

    Parameters with a value in the expression (`status == 'placed'`) keep it; the others are given at each call and a
    missing or unknown name is a `TypeError`.
    """

    __slots__ = ("_clause", "_given", "_order", "_sql", "_values")

    def __init__(self, clause: ClauseElement) -> None:
        self._clause: ClauseElement | None = clause

    @property
    def sql(self) -> str:
        """The text, with positional parameters."""
        if self._clause is not None:
            self._compile(self._clause)
        return self._sql

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The positional arguments for `values`."""
        if self._clause is not None:
            self._compile(self._clause)
        if values.keys() != self._given:
            missing, unknown = self._given - values.keys(), values.keys() - self._given
            raise TypeError(f"parameters missing: {sorted(missing)}, unknown: {sorted(unknown)}")
        everything = self._values | values
        return [everything[name] for name in self._order]

    def _compile(self, clause: ClauseElement) -> None:
        compiled = cast("Any", clause.compile(dialect=_DIALECT))
        self._sql: str = compiled.string
        self._order: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._given = frozenset(name for name, bind in compiled.binds.items() if bind.required)
        self._values: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if name not in self._given
        }
        self._clause = None

    async def rows(self, connection: Connection, **values: Any) -> Sequence[Record]:
        """All rows."""
        return cast("Sequence[Record]", await connection.fetch(self.sql, *self.arguments(values)))

    async def row(self, connection: Connection, **values: Any) -> Record | None:
        """The first row, or None."""
        return cast("Record | None", await connection.fetchrow(self.sql, *self.arguments(values)))

    async def only(self, connection: Connection, **values: Any) -> Record:
        """The first row of a statement that always has one. Raises `LookupError` when it has none."""
        found = await self.row(connection, **values)
        if found is None:
            raise LookupError("the statement returned no row")
        return found

    async def value(self, connection: Connection, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return await connection.fetchval(self.sql, *self.arguments(values))

    async def run(self, connection: Connection, **values: Any) -> int:
        """Execute; the number of rows that were touched."""
        tag = await connection.execute(self.sql, *self.arguments(values))
        count = tag.rsplit(" ", 1)[-1]
        return int(count) if count.isdigit() else 0
