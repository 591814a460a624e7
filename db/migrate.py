"""Brings a database to the newest schema, from any working directory and from an installed package.

The DSN is the direct one: a migration holds an advisory lock, which a transaction pooler would lose.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

import migrations
from db.connection import connect

DRIVER = "postgresql+asyncpg"
VERSION = "select version_num from alembic_version"
TABLE = "select to_regclass('alembic_version') is not null"


def migrate(url: str, *, revision: str = "head") -> None:
    """Bring the database at `url` (a plain `postgresql://` DSN) to `revision`; nothing to do when it is there.

    Runs a loop of its own: call it outside any. Two callers at once migrate one after the other.
    """
    config = _config()
    config.attributes["dsn"] = make_url(url).set(drivername=DRIVER)
    command.upgrade(config, revision)


def newest_revision() -> str | None:
    """The newest schema that this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def present_revision(url: str) -> str | None:
    """The schema that the database at `url` has, None for an empty one. Raises what `db.connection.connect` raises."""
    connection = await connect(url, application="hotpass migrate")
    try:
        if not await connection.fetchval(TABLE):
            return None
        revision: str | None = await connection.fetchval(VERSION)
        return revision
    finally:
        await connection.close()


def _config() -> Config:
    config = Config()
    place = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", place.replace("%", "%%"))
    return config
