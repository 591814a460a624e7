"""Each job does what is due, once, and leaves alone what is not."""

from __future__ import annotations

from typing import Any

from db.offer_moves import OFFER
from hub.jobs.archive_orders import archive_orders
from hub.jobs.expire_offers import expire_offers
from hub.jobs.expire_orders import expire_orders
from hub.jobs.fire_lines import fire_lines
from hub.jobs.forget import forget
from tests.jobs.conftest import Desk
from tests.town import Placed, place

EXPIRED = "update orders set accept_by = product_now() - interval '1 second' where id = any($1::uuid[])"


async def orders(desk: Desk, count: int, *, are_accepted: bool = False) -> list[Placed]:
    made = [await place(desk.conn, desk.town) for _ in range(count)]
    if are_accepted:
        await desk.conn.execute("update orders set status = 'accepted' where status = 'placed'")
    return made


async def status(desk: Desk, table: str, row_id: str) -> str:
    column = {"order_line": "state", "offer": "state", "payment": "state"}.get(table, "status")
    return str(await desk.conn.fetchval(f"select {column} from {table} where id = $1", row_id))


async def offered(desk: Desk, placed: Placed, rider: int, *, seconds: float) -> str:
    values: dict[str, Any] = {"delivery_id": placed.delivery_id, "rider_id": desk.town.rider_ids[rider]}
    offer_id = await OFFER.value(desk.conn, **values, approach_metres=1, seconds=seconds, context='{"actor": "test"}')
    return str(offer_id)


async def test_due_lines_of_accepted_orders_are_fired(desk: Desk) -> None:
    accepted, late = await orders(desk, 2, are_accepted=True)
    [placed] = await orders(desk, 1)
    later = "update order_line set fire_at = product_now() + interval '1 hour' where order_id = $1"
    await desk.conn.execute(later, late.order_id)
    assert await fire_lines(desk.database) == 2
    assert await status(desk, "order_line", accepted.line_ids[0]) == "fired"
    assert await status(desk, "order_line", late.line_ids[0]) == "held"
    assert await status(desk, "order_line", placed.line_ids[0]) == "held"
    assert await fire_lines(desk.database) == 0


async def test_a_dish_to_be_remade_is_fired_again(desk: Desk) -> None:
    [made] = await orders(desk, 1, are_accepted=True)
    await fire_lines(desk.database)
    for state in ("cooking", "done", "remake"):
        await desk.conn.execute("update order_line set state = $2 where id = $1", made.line_ids[0], state)
    assert await fire_lines(desk.database) == 1
    assert await status(desk, "order_line", made.line_ids[0]) == "fired"


async def test_orders_that_nobody_took_expire_with_all_that_is_theirs(desk: Desk) -> None:
    *late, waiting = await orders(desk, 4)
    await desk.conn.execute(EXPIRED, [one.order_id for one in late])
    assert await expire_orders(desk.database) == 3
    for one in late:
        assert await status(desk, "orders", one.order_id) == "expired"
        assert await status(desk, "order_line", one.line_ids[1]) == "voided"
        assert await status(desk, "delivery", one.delivery_id) == "cancelled"
        assert await status(desk, "payment", one.payment_id) == "void"
    assert await status(desk, "orders", waiting.order_id) == "placed"
    assert await expire_orders(desk.database) == 0
    row = await desk.conn.fetchrow(
        "select actor, reason from audit_event where entity_id = $1 and event = 'order.expired'", late[0].order_id
    )
    assert tuple(row) == ("clock", "not accepted in time")


async def test_an_order_accepted_in_time_does_not_expire(desk: Desk) -> None:
    [made] = await orders(desk, 1, are_accepted=True)
    await desk.conn.execute(EXPIRED, [made.order_id])
    assert await expire_orders(desk.database) == 0


async def test_an_offer_without_an_answer_ends_and_its_delivery_waits_again(desk: Desk) -> None:
    one, two = await orders(desk, 2, are_accepted=True)
    silent, fresh = await offered(desk, one, 0, seconds=0.0), await offered(desk, two, 1, seconds=60.0)
    assert await expire_offers(desk.database) == 1
    assert (await status(desk, "offer", silent), await status(desk, "delivery", one.delivery_id)) == (
        "expired",
        "waiting",
    )
    assert (await status(desk, "offer", fresh), await status(desk, "delivery", two.delivery_id)) == ("live", "offered")


async def test_an_ended_order_leaves_its_boards_after_half_an_hour(desk: Desk) -> None:
    old, fresh, open_one = await orders(desk, 3)
    ended = "update orders set status = 'cancelled' where id = any($1::uuid[])"
    await desk.conn.execute(ended, [old.order_id, fresh.order_id])
    aged = "update orders set ended_at = product_now() - interval '31 minutes' where id = $1"
    await desk.conn.execute(aged, old.order_id)
    assert await archive_orders(desk.database) == 1
    archived = "select id::text from {} where archived_at is not null"
    assert [row["id"] for row in await desk.conn.fetch(archived.format("orders"))] == [old.order_id]
    assert [row["id"] for row in await desk.conn.fetch(archived.format("delivery"))] == [old.delivery_id]
    assert {row["id"] for row in await desk.conn.fetch(archived.format("order_line"))} == set(old.line_ids)
    assert await status(desk, "orders", open_one.order_id) == "placed"


async def test_old_answers_and_old_days_are_forgotten_and_heads_are_kept(desk: Desk) -> None:
    await desk.conn.execute(
        """insert into idempotency (principal_id, key, request_hash, status, answer, created_at)
        values (hotpass_uuid7(), 'old', 'h', 200, '{}', now() - interval '49 hours'),
            (hotpass_uuid7(), 'new', 'h', 200, '{}', now())"""
    )
    await desk.conn.execute(
        """create table change_log_20200101 partition of change_log for values from ('2020-01-01') to ('2020-01-02');
        create table topic_log_20200101 partition of topic_log for values from ('2020-01-01') to ('2020-01-02');
        insert into topic_log (topic, topic_offset, audit_id, op, day)
        values ('kitchen:k', 7, 1, 'put', '2020-01-01')"""
    )
    assert await forget(desk.database, change_log_days=2) == 2
    assert await desk.conn.fetchval("select string_agg(key, '') from idempotency") == "new"
    assert await desk.conn.fetchval("select to_regclass('change_log_20200101')") is None
    assert await desk.conn.fetchval("select head from topic_head where topic = 'kitchen:k'") == 7
    assert await forget(desk.database, change_log_days=2) == 0
