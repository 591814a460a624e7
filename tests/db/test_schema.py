"""The tables that statements are written with are those of the schema; the words are those of the domain."""

from __future__ import annotations

import importlib
import pkgutil

import asyncpg
import pytest

import db
from db.metadata import METADATA
from db.snapshots import CONDITIONS
from hub.domain.events import MACHINES, STATE_COLUMN, legal_moves
from hub.domain.topics import TopicKind
from hub.domain.views import VIEWS
from tests.town import found, place, sequenced, sequencing, track

COLUMNS = """
select table_name, array_agg(column_name::text) as names from information_schema.columns
where table_schema = 'public' group by table_name
"""
TOPICS_BY_ENTITY = """
select distinct entity, split_part(topic, ':', 1) as kind
from (select entity, unnest(topics || gone) as topic from audit_event) as told
"""


@pytest.fixture(scope="module")
async def schema(module_database_url: str) -> dict[str, set[str]]:
    """The columns of every table."""
    for module in pkgutil.iter_modules(db.__path__):
        importlib.import_module(f"db.{module.name}")
    connection = await asyncpg.connect(module_database_url)
    try:
        return {row["table_name"]: set(row["names"]) for row in await connection.fetch(COLUMNS)}
    finally:
        await connection.close()


def test_every_table_is_written_down_with_all_its_columns(schema: dict[str, set[str]]) -> None:
    written = {name: {column.name for column in table.columns} for name, table in METADATA.tables.items()}
    assert written == {name: schema[name] for name in written}


async def test_the_legal_moves_are_those_of_the_domain(module_database_url: str) -> None:
    connection = await asyncpg.connect(module_database_url)
    rows = await connection.fetch("select entity, source, target, move, event from legal_move")
    await connection.close()
    assert {tuple(row) for row in rows} == set(legal_moves())


def test_every_machine_has_a_column_that_holds_its_state() -> None:
    assert STATE_COLUMN.keys() == {machine.entity for machine in MACHINES}


def test_every_view_has_its_rows_in_a_snapshot_and_no_other() -> None:
    assert CONDITIONS.keys() == {(kind, entity) for entity, kinds in VIEWS.items() for kind in kinds}


async def test_the_fields_of_a_view_are_columns(schema: dict[str, set[str]]) -> None:
    tables = {
        "order": "orders",
        "line": "order_line",
        "user": "person",
        "grant": "role_grant",
        "security": "security_event",
    }
    for entity, kinds in VIEWS.items():
        for kind, fields in kinds.items():
            assert set(fields) <= schema[tables.get(entity, entity)], (entity, kind)


async def test_the_database_puts_no_row_into_a_topic_without_a_view(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        placed = await place(connection, await found(connection))
        await track(connection, placed.order_id)
        told = {(row["entity"], TopicKind(row["kind"])) for row in await connection.fetch(TOPICS_BY_ENTITY)}
    finally:
        await connection.close()
    assert {("order", TopicKind.KITCHEN), ("line", TopicKind.ORDER), ("delivery", TopicKind.OPERATIONS)} <= told
    assert all(kind in VIEWS[entity] for entity, kind in told)


async def test_a_change_by_hand_takes_the_same_way(database_url: str, redis_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        placed = await place(connection, await found(connection))
        async with sequencing(database_url, redis_url):
            await connection.execute("update orders set status = 'accepted' where id = $1", placed.order_id)
            await sequenced(connection)
        row = await connection.fetchrow(
            "select event, version from change where entity_id = $1 order by pos desc limit 1", placed.order_id
        )
        actor = await connection.fetchval(
            "select actor from audit_event where entity_id = $1 order by id desc limit 1", placed.order_id
        )
    finally:
        await connection.close()
    assert (tuple(row), actor.startswith("database:")) == (("order.accepted", 2), True)
