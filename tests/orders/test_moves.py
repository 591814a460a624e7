"""The moves of an order over HTTP: who may, from where, with what, and what becomes of the rest."""

from __future__ import annotations

import pytest

from hub.domain.order import ORDER
from tests.course import Cast, accepted, at_door, delivery_of, placed, ready, status_of

ASKED = ("accept", "reject", "delay", "amend", "rush", "ready", "recall", "cancel")
BODIES = {
    "reject": {"reason": "no gas"}, "delay": {"minutes": 5, "reason": "busy"}, "amend": {"note": "no onion"},
    "rush": {"is_rush": True}, "recall": {"reason": "cold"}, "cancel": {"reason": "flood"},
}  # fmt: skip


async def test_an_order_runs_from_placing_to_the_door(cast: Cast) -> None:
    made, delivery_id = await at_door(cast)
    order_id = made["order"]["id"]
    due = await cast.conn.fetchval("select cash_due_minor from delivery where id = $1", delivery_id)
    pin = (await cast.customer.get(f"/orders/{order_id}")).body["order"]["delivery_pin"]
    await cast.rider.done(f"/deliveries/{delivery_id}/deliver", {"pin": pin, "cash_minor": due})
    whole = (await cast.customer.get(f"/orders/{order_id}")).body
    assert (whole["order"]["status"], whole["payment"]["state"]) == ("delivered", "collected")
    timeline = await cast.manager.get(f"/orders/{order_id}/timeline")
    told = [event["event"] for event in timeline.body["events"] if event["event"].startswith("order.")]
    facts = ["placed", "accepted", "started", "ready", "picked_up", "delivered"]
    assert [event for event in told if event != "order.changed"] == [f"order.{fact}" for fact in facts]


async def test_the_timeline_says_who_only_to_staff(cast: Cast) -> None:
    made = await accepted(cast)
    path = f"/orders/{made['order']['id']}/timeline"
    by_staff = (await cast.manager.get(path)).body["events"]
    assert cast.manager.person_id in {event["actor"] for event in by_staff}
    assert all("actor" not in event for event in (await cast.customer.get(path)).body["events"])


@pytest.mark.parametrize("move", ASKED)
async def test_a_move_from_the_end_is_refused_and_changes_nothing(cast: Cast, move: str) -> None:
    order = (await placed(cast))["order"]
    await cast.manager.done(f"/orders/{order['id']}/reject", BODIES["reject"])
    answer = await cast.manager.post(f"/orders/{order['id']}/{move}", BODIES.get(move))
    assert answer.refusal == (409, "order.wrong_state")
    assert (answer.body["present"], answer.body["legal"], answer.body["move"]) == ("rejected", [], move)
    assert answer.body["row"]["version"] == order["version"] + 1


async def test_a_refused_move_names_those_that_are_legal(cast: Cast) -> None:
    order = (await placed(cast))["order"]
    answer = await cast.manager.post(f"/orders/{order['id']}/recall", BODIES["recall"])
    assert (answer.status, answer.body["legal"]) == (409, list(ORDER.legal_from("placed")))


async def test_the_end_in_the_kitchen_takes_everything_along(cast: Cast) -> None:
    made = await accepted(cast, 1, 1)
    order_id = made["order"]["id"]
    await cast.manager.done(f"/orders/{order_id}/cancel", BODIES["cancel"])
    whole = (await cast.manager.get(f"/orders/{order_id}")).body
    assert whole["order"]["reason"] == "flood"
    assert {line["state"] for line in whole["lines"]} == {"voided"}
    assert (whole["delivery"]["status"], whole["payment"]["state"]) == ("cancelled", "void")


async def test_a_customer_cancels_until_the_kitchen_has_accepted(cast: Cast) -> None:
    early, late = await placed(cast), await accepted(cast)
    await cast.customer.done(f"/orders/{early['order']['id']}/cancel", BODIES["cancel"])
    answer = await cast.customer.post(f"/orders/{late['order']['id']}/cancel", BODIES["cancel"])
    assert answer.refusal == (409, "order.too_late")
    await cast.manager.done(f"/orders/{late['order']['id']}/cancel", BODIES["cancel"])


async def test_an_order_is_ready_only_when_every_dish_is_done(cast: Cast) -> None:
    made = await accepted(cast, 1, 1)
    first, second = (line["id"] for line in made["lines"])
    for move in ("start", "done"):
        await cast.manager.done(f"/lines/{first}/{move}")
    answer = await cast.manager.post(f"/orders/{made['order']['id']}/ready")
    assert answer.refusal == (409, "order.unfinished")
    for move in ("start", "done"):
        await cast.manager.done(f"/lines/{second}/{move}")
    assert (await cast.manager.done(f"/orders/{made['order']['id']}/ready"))["order"]["status"] == "ready"
    states = await cast.conn.fetch("select state from order_line where order_id = $1", made["order"]["id"])
    assert {row["state"] for row in states} == {"checked"}


async def test_a_recalled_order_is_being_prepared_again(cast: Cast) -> None:
    order_id = (await ready(cast))["order"]["id"]
    answer = await cast.manager.done(f"/orders/{order_id}/recall", BODIES["recall"])
    assert (answer["order"]["status"], answer["order"]["ready_at"]) == ("preparing", None)
    await cast.manager.done(f"/orders/{order_id}/ready")
    assert await status_of(cast, order_id) == "ready"


async def test_a_delay_moves_the_promise(cast: Cast) -> None:
    order = (await placed(cast))["order"]
    late = (await cast.manager.done(f"/orders/{order['id']}/delay", BODIES["delay"]))["order"]
    moved = await cast.conn.fetchval(
        "select $1::text::timestamptz - $2::text::timestamptz", late["promised_at"], order["promised_at"]
    )
    assert moved.total_seconds() == 300


async def test_a_note_and_a_rush_reach_the_kitchen(cast: Cast) -> None:
    order_id = (await placed(cast))["order"]["id"]
    assert (await cast.manager.done(f"/orders/{order_id}/amend", BODIES["amend"]))["order"]
    await cast.manager.done(f"/orders/{order_id}/rush", BODIES["rush"])
    row = await cast.conn.fetchrow("select note, is_rush from orders where id = $1", order_id)
    assert (row["note"], row["is_rush"]) == ("no onion", True)


@pytest.mark.parametrize(
    ("move", "body", "path"),
    [
        ("reject", {"reason": ""}, "$.reason"),
        ("reject", {"reason": " \t\n"}, "$.reason"),
        ("cancel", {"reason": "x" * 301}, "$.reason"),
        ("delay", {"minutes": 0, "reason": "x"}, "$.minutes"),
        ("delay", {"minutes": 121, "reason": "x"}, "$.minutes"),
        ("amend", {"note": "x" * 501}, "$.note"),
        ("rush", {"is_rush": 1}, "$.is_rush"),
        ("accept", {"why": "not"}, "$"),
    ],
)
async def test_a_body_that_cannot_be_is_refused(cast: Cast, move: str, body: dict[str, object], path: str) -> None:
    order_id = (await placed(cast))["order"]["id"]
    answer = await cast.manager.post(f"/orders/{order_id}/{move}", body)
    assert (answer.refusal, answer.body["path"]) == ((422, "body.invalid"), path)
    assert await status_of(cast, order_id) == "placed"


@pytest.mark.parametrize("move", ["accept", "reject", "ready", "recall", "rush"])
async def test_a_customer_a_cook_and_a_rider_do_not_run_the_pass(cast: Cast, move: str) -> None:
    order_id = (await placed(cast))["order"]["id"]
    for caller in (cast.customer, cast.cook, cast.rider, cast.stranger):
        assert (await caller.post(f"/orders/{order_id}/{move}", BODIES.get(move))).refusal == (403, "forbidden")


async def test_an_order_of_somebody_else_is_as_if_it_were_not(cast: Cast) -> None:
    order_id = (await placed(cast))["order"]["id"]
    unknown = "01900000-0000-7000-8000-000000000000"
    for path in ("/orders/{}", "/orders/{}/timeline"):
        foreign, none = [await cast.other_customer.get(path.format(one)) for one in (order_id, unknown)]
        assert foreign.refusal == none.refusal == (404, "not_found")
        assert foreign.body["detail"] == none.body["detail"]
    answer = await cast.other_customer.post(f"/orders/{order_id}/cancel", BODIES["cancel"])
    assert answer.refusal == (404, "not_found")
    assert await status_of(cast, order_id) == "placed"


async def test_nobody_sees_more_of_an_order_than_its_view_allows(cast: Cast) -> None:
    made = await accepted(cast)
    order_id = made["order"]["id"]
    delivery_id = await delivery_of(cast, order_id)
    await cast.manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": cast.rider.person_id})
    by_rider = (await cast.rider.get(f"/orders/{order_id}")).body["order"]
    by_cook = (await cast.cook.get(f"/orders/{order_id}")).body["order"]
    by_manager = (await cast.manager.get(f"/orders/{order_id}")).body["order"]
    assert all("delivery_pin" not in seen for seen in (by_rider, by_cook, by_manager))
    assert "total_minor" not in by_cook
    assert "customer_id" not in by_rider
