"""Runs a script of several SQL statements inside the migration's transaction; asyncpg prepares only one at a time."""

from __future__ import annotations

from alembic import op


def execute(script: str) -> None:
    """Execute `script`, any number of statements separated by semicolons, as one step of the present transaction."""
    bind = op.get_bind()
    bind.exec_driver_sql("select 1")  # the adapter opens its transaction at the first statement that passes through it
    connection = bind.connection.dbapi_connection
    assert connection is not None
    connection.run_async(lambda raw: raw.execute(script))
