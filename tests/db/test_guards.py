"""What the database refuses and what it does by itself, whoever writes: raw SQL included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from hub.domain.events import MACHINES, STATE_COLUMN
from tests.town import Placed, Town, found, place

OUTBOX = "select count(*) from audit_event where entity_id = $1"
SYNCED = (
    "kitchen",
    "brand",
    "station",
    "item",
    "person",
    "role_grant",
    "rider",
    "orders",
    "order_line",
    "payment",
    "delivery",
    "offer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A database with one town and one order, and no sequencer: the outbox stays as it is written."""

    conn: Any
    url: str
    town: Town
    placed: Placed


@pytest.fixture
async def shelf(database_url: str) -> AsyncIterator[Shelf]:
    """A fresh shelf."""
    conn = await asyncpg.connect(database_url)
    town = await found(conn)
    yield Shelf(conn=conn, url=database_url, town=town, placed=await place(conn, town))
    await conn.close()


async def refused(shelf: Shelf, code: str, statement: str, *values: object) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await shelf.conn.execute(statement, *values)
    assert refusal.value.sqlstate == code, refusal.value


async def test_every_illegal_status_is_refused(shelf: Shelf) -> None:
    rows = {
        "order": ("orders", shelf.placed.order_id), "line": ("order_line", shelf.placed.line_ids[0]),
        "delivery": ("delivery", shelf.placed.delivery_id), "payment": ("payment", shelf.placed.payment_id),
        "rider": ("rider", shelf.town.rider_ids[0]),
    }  # fmt: skip
    tried = 0
    for machine in MACHINES:
        if machine.entity not in rows:
            continue
        table, row_id = rows[machine.entity]
        column = STATE_COLUMN[machine.entity]
        present = await shelf.conn.fetchval(f"select {column} from {table} where id = $1", row_id)
        states = (
            {source for source, *_ in machine.edges()} | {target for _, target, *_ in machine.edges()} | {"nonsense"}
        )
        legal = {target for source, target, *_ in machine.edges() if source == present}
        for state in states - legal - {present}:
            await refused(shelf, "HP001", f"update {table} set {column} = $2 where id = $1", row_id, state)
            tried += 1
    assert tried > 25


async def test_nothing_is_born_in_the_middle_of_its_life(shelf: Shelf) -> None:
    await refused(
        shelf, "HP001",
        """insert into payment (order_id, method, state, amount_minor, currency)
        select id, 'cash', 'collected', 1, 'INR' from orders where id = $1""",
        shelf.placed.order_id,
    )  # fmt: skip


async def test_a_change_raises_the_version_by_one_and_is_told_once(shelf: Shelf) -> None:
    order_id = shelf.placed.order_id
    before = await shelf.conn.fetchval(OUTBOX, order_id)
    for number in range(1, 4):
        await shelf.conn.execute("update orders set note = $2, version = 99 where id = $1", order_id, str(number))
        assert await shelf.conn.fetchval("select version from orders where id = $1", order_id) == 1 + number
        assert await shelf.conn.fetchval(OUTBOX, order_id) == before + number


async def test_a_change_that_is_rolled_back_is_not_told(shelf: Shelf) -> None:
    order_id = shelf.placed.order_id
    before = await shelf.conn.fetchval(OUTBOX, order_id)
    transaction = shelf.conn.transaction()
    await transaction.start()
    await shelf.conn.execute("update orders set note = 'never' where id = $1", order_id)
    await transaction.rollback()
    assert await shelf.conn.fetchval(OUTBOX, order_id) == before


async def test_a_row_that_leaves_a_topic_says_which(shelf: Shelf) -> None:
    await shelf.conn.execute("update orders set status = 'cancelled' where id = $1", shelf.placed.order_id)
    await shelf.conn.execute("update orders set archived_at = product_now() where id = $1", shelf.placed.order_id)
    row = await shelf.conn.fetchrow(
        "select topics, gone from audit_event where entity_id = $1 order by id desc limit 1", shelf.placed.order_id
    )
    assert row["topics"] == [f"order:{shelf.placed.order_id}"]
    assert set(row["gone"]) == {
        f"kitchen:{shelf.town.kitchen_id}", f"customer:{shelf.town.customer_ids[0]}", f"operations:{shelf.town.region}",
    }  # fmt: skip


async def test_a_deleted_row_is_told_with_a_higher_version(shelf: Shelf) -> None:
    item = shelf.town.item_ids[5]
    await shelf.conn.execute("delete from item where id = $1", item)
    row = await shelf.conn.fetchrow(
        "select event, version, row, topics from audit_event where entity_id = $1 order by id desc limit 1", item
    )
    assert tuple(row) == ("item.deleted", 2, None, [])


@pytest.mark.parametrize("table", SYNCED)
async def test_truncate_is_refused(shelf: Shelf, table: str) -> None:
    await refused(shelf, "HP003", f"truncate {table} cascade")


@pytest.mark.parametrize(
    "statement",
    ["update audit_event set actor = 'nobody'", "delete from audit_event", "truncate audit_event"],
)
async def test_the_audit_is_only_ever_appended_to(shelf: Shelf, statement: str) -> None:
    await refused(shelf, "HP004", statement)


async def test_an_id_never_changes(shelf: Shelf) -> None:
    await refused(shelf, "HP005", "update kitchen set id = hotpass_uuid7() where id = $1", shelf.town.kitchen_id)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update orders set total_minor = 1 where id = $1", "orders_total"),
        ("update orders set delivered_at = product_now() where id = $1", "orders_delivered"),
        ("update orders set archived_at = product_now() where id = $1", "orders_archived"),
        ("update orders set drop_lat = 91 where id = $1", "orders_drop_lat"),
        ("update orders set payment_method = 'shells' where id = $1", "orders_payment_method"),
        ("update orders set ended_at = product_now() where id = $1", "orders_ended"),
        ("update delivery set cash_due_minor = -1 where order_id = $1", "delivery_cash"),
        ("update delivery set delivered_at = product_now() where order_id = $1", "delivery_delivered"),
    ],
)
async def test_a_row_that_cannot_be_is_refused_by_name(shelf: Shelf, statement: str, constraint: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await shelf.conn.execute(statement, shelf.placed.order_id)
    assert refusal.value.constraint_name == constraint


async def test_two_writers_of_one_order_never_give_a_version_twice(shelf: Shelf) -> None:
    connections = [await asyncpg.connect(shelf.url) for _ in range(4)]

    async def write(conn: Any) -> None:
        for _ in range(25):
            await conn.execute("update orders set note = note || 'x' where id = $1", shelf.placed.order_id)

    await asyncio.gather(*map(write, connections))
    for conn in connections:
        await conn.close()
    versions = await shelf.conn.fetch("select version from audit_event where entity_id = $1", shelf.placed.order_id)
    assert sorted(row["version"] for row in versions) == list(range(1, 102))
