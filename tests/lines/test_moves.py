"""The moves of an order line: a station cooks it, the pass checks it, and the order follows."""

from __future__ import annotations

import asyncio

import pytest

from tests.course import Cast, accepted, at_door, placed, status_of


async def states(cast: Cast, order_id: str) -> list[str]:
    rows = await cast.conn.fetch("select state from order_line where order_id = $1 order by position", order_id)
    return [row["state"] for row in rows]


async def test_the_order_follows_its_lines(cast: Cast) -> None:
    made = await accepted(cast, 1, 1)
    order_id = made["order"]["id"]
    first, second = (line["id"] for line in made["lines"])
    await cast.cook.done(f"/lines/{first}/start")
    assert await status_of(cast, order_id) == "preparing"
    await cast.cook.done(f"/lines/{second}/start")
    for line_id in (first, second):
        await cast.cook.done(f"/lines/{line_id}/done")
        await cast.manager.done(f"/lines/{line_id}/check")
    assert await status_of(cast, order_id) == "ready"
    await cast.manager.done(f"/lines/{second}/undo")
    assert await status_of(cast, order_id) == "preparing"


async def test_an_undo_goes_back_by_one_step(cast: Cast) -> None:
    made = await accepted(cast)
    line_id = made["lines"][0]["id"]
    for move in ("start", "done", "check"):
        await cast.manager.done(f"/lines/{line_id}/{move}")
    seen = [(await cast.manager.done(f"/lines/{line_id}/undo"))["line"]["state"] for _ in range(3)]
    assert seen == ["done", "cooking", "fired"]
    answer = await cast.manager.post(f"/lines/{line_id}/undo")
    assert (answer.refusal, answer.body["present"]) == ((409, "line.wrong_state"), "fired")


async def test_a_remade_dish_is_cooked_anew(cast: Cast) -> None:
    made = await accepted(cast)
    line_id = made["lines"][0]["id"]
    for move in ("start", "done"):
        await cast.manager.done(f"/lines/{line_id}/{move}")
    line = (await cast.manager.done(f"/lines/{line_id}/remake", {"reason": "burnt"}))["line"]
    assert (line["state"], line["started_at"], line["done_at"]) == ("remake", None, None)


async def test_an_order_without_its_voided_dish_can_be_ready(cast: Cast) -> None:
    made = await accepted(cast, 1, 1)
    first, second = (line["id"] for line in made["lines"])
    for move in ("start", "done", "check"):
        await cast.manager.done(f"/lines/{first}/{move}")
    await cast.manager.done(f"/lines/{second}/void", {"reason": "out of rice"})
    assert await status_of(cast, made["order"]["id"]) == "ready"


async def test_two_cooks_who_tap_at_once_start_a_dish_once(cast: Cast) -> None:
    line_id = (await accepted(cast))["lines"][0]["id"]
    answers = await asyncio.gather(*(cast.cook.post(f"/lines/{line_id}/start") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    started = await cast.conn.fetchval(
        "select count(*) from audit_event where entity_id = $1 and event = 'line.started'", line_id
    )
    assert started == 1


async def test_the_last_two_dishes_checked_at_once_make_the_order_ready(cast: Cast) -> None:
    made = await accepted(cast, 1, 1, 1, 1)
    ids = [line["id"] for line in made["lines"]]
    for move in ("start", "done", "check"):
        answers = await asyncio.gather(*(cast.manager.post(f"/lines/{line_id}/{move}") for line_id in ids))
        assert {answer.status for answer in answers} == {200}
    assert await status_of(cast, made["order"]["id"]) == "ready"


async def test_a_dish_of_an_order_that_nobody_took_is_not_cooked(cast: Cast) -> None:
    made = await placed(cast)
    await cast.conn.execute("update order_line set state = 'fired' where order_id = $1", made["order"]["id"])
    answer = await cast.cook.post(f"/lines/{made['lines'][0]['id']}/start")
    assert answer.refusal == (409, "order.not_in_kitchen")


async def test_a_dish_that_left_the_kitchen_stays_as_it_is(cast: Cast) -> None:
    made, _ = await at_door(cast)
    answer = await cast.manager.post(f"/lines/{made['lines'][0]['id']}/undo")
    assert answer.refusal == (409, "order.not_in_kitchen")
    assert await states(cast, made["order"]["id"]) == ["checked"]


@pytest.mark.parametrize("move", ["check", "remake", "void"])
async def test_a_cook_does_not_do_the_work_of_the_pass(cast: Cast, move: str) -> None:
    line_id = (await accepted(cast))["lines"][0]["id"]
    assert (await cast.cook.post(f"/lines/{line_id}/{move}", {"reason": "x"})).refusal == (403, "forbidden")


@pytest.mark.parametrize("move", ["start", "done", "check", "undo", "recall", "remake", "void"])
async def test_a_customer_and_a_rider_do_not_cook(cast: Cast, move: str) -> None:
    line_id = (await accepted(cast))["lines"][0]["id"]
    for caller in (cast.customer, cast.rider, cast.stranger):
        assert (await caller.post(f"/lines/{line_id}/{move}")).status == 403


async def test_a_void_says_why(cast: Cast) -> None:
    line_id = (await accepted(cast))["lines"][0]["id"]
    for body in ({}, {"reason": " "}, {"reason": 1}):
        assert (await cast.manager.post(f"/lines/{line_id}/void", body)).refusal == (422, "body.invalid")
