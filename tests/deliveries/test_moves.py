"""The moves of a delivery: by hand, to the door, with code, PIN and cash, and back when nobody opens."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.course import Cast, accepted, at_door, delivery_of, ready, status_of


async def assigned(cast: Cast) -> tuple[str, str, str]:
    """(order, delivery, code) of a cooked order that a rider waits for at the counter."""
    made = await ready(cast)
    delivery_id = await delivery_of(cast, made["order"]["id"])
    await cast.manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": cast.rider.person_id})
    await cast.rider.done(f"/deliveries/{delivery_id}/arrive")
    return made["order"]["id"], delivery_id, made["order"]["code"]


async def due(cast: Cast, delivery_id: str) -> tuple[str, int]:
    """(PIN, cash) that the customer has ready."""
    row = await cast.conn.fetchrow(
        "select o.delivery_pin, d.cash_due_minor from delivery d join orders o on o.id = d.order_id where d.id = $1",
        delivery_id,
    )
    return row["delivery_pin"], row["cash_due_minor"]


async def test_the_right_bag_goes_to_the_right_rider(cast: Cast) -> None:
    order_id, delivery_id, code = await assigned(cast)
    answer = await cast.rider.post(f"/deliveries/{delivery_id}/pick-up", {"code": "----"})
    assert (answer.refusal, answer.body["path"]) == ((422, "delivery.wrong_code"), "$.code")
    await cast.rider.done(f"/deliveries/{delivery_id}/pick-up", {"code": f" {code.lower()} "})
    assert await status_of(cast, order_id) == "out_for_delivery"


async def test_an_unfinished_order_is_not_picked_up(cast: Cast) -> None:
    made = await accepted(cast)
    delivery_id = await delivery_of(cast, made["order"]["id"])
    await cast.manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": cast.rider.person_id})
    await cast.rider.done(f"/deliveries/{delivery_id}/arrive")
    answer = await cast.rider.post(f"/deliveries/{delivery_id}/pick-up", {"code": made["order"]["code"]})
    assert answer.refusal == (409, "order.unfinished")


async def test_pin_and_cash_must_be_right_or_explained(cast: Cast) -> None:
    made, delivery_id = await at_door(cast)
    pin, cash = await due(cast, delivery_id)
    path = f"/deliveries/{delivery_id}/deliver"
    wrong = "9999" if pin != "9999" else "0000"
    assert (await cast.rider.post(path, {"pin": wrong, "cash_minor": cash})).refusal == (422, "delivery.wrong_pin")
    assert (await cast.rider.post(path, {"cash_minor": cash})).refusal == (422, "delivery.wrong_pin")
    assert (await cast.rider.post(path, {"pin": pin})).refusal == (422, "delivery.cash_differs")
    assert (await cast.rider.post(path, {"pin": pin, "cash_minor": cash - 1})).code == "delivery.cash_differs"
    assert (await cast.rider.post(path, {"pin": pin, "cash_minor": cash - 1, "reason": "  "})).status == 422
    assert await status_of(cast, made["order"]["id"]) == "out_for_delivery"
    await cast.rider.done(path, {"pin": pin, "cash_minor": cash - 1, "reason": "no change"})
    row = await cast.conn.fetchrow(
        "select state, collected_minor, reason from payment where order_id = $1", made["order"]["id"]
    )
    assert tuple(row) == ("collected", cash - 1, "no change")


@pytest.mark.parametrize(
    "body",
    [
        {"cash_minor": -1},
        {"cash_minor": 10**10},
        {"cash_minor": 1.5},
        {"pin": 1234},
        {"pin": ""},
        {"reason": "x" * 301},
    ],
)
async def test_a_handover_that_cannot_be_is_refused(cast: Cast, body: dict[str, object]) -> None:
    answer = await cast.rider.post(f"/deliveries/{uuid4()}/deliver", body)
    assert answer.refusal == (422, "body.invalid")


async def test_food_that_nobody_takes_comes_back(cast: Cast) -> None:
    made, delivery_id = await at_door(cast)
    await cast.rider.done(f"/deliveries/{delivery_id}/fail", {"reason": "nobody opens"})
    assert await status_of(cast, made["order"]["id"]) == "delivery_failed"
    await cast.rider.done(f"/deliveries/{delivery_id}/return")
    answer = await cast.rider.done(f"/deliveries/{delivery_id}/return")
    assert answer["delivery"]["status"] == "returned"
    assert await status_of(cast, made["order"]["id"]) == "returned"
    left = "select count(*) from assignment where delivery_id = $1 and ended_at is null"
    assert await cast.conn.fetchval(left, delivery_id) == 0


async def test_an_unassigned_delivery_waits_again_and_frees_its_rider(cast: Cast) -> None:
    order_id, delivery_id, _ = await assigned(cast)
    answer = await cast.manager.done(f"/deliveries/{delivery_id}/unassign", {"reason": "puncture"})
    assert (answer["delivery"]["status"], answer["delivery"]["rider_id"]) == ("waiting", None)
    assert await cast.conn.fetchval("select rider_id from orders where id = $1", order_id) is None
    assert (await cast.rider.get(f"/deliveries/{delivery_id}")).status == 404


@pytest.mark.parametrize("rider", ["unknown", "customer", "off shift"])
async def test_only_a_free_rider_on_shift_is_assigned(cast: Cast, rider: str) -> None:
    delivery_id = await delivery_of(cast, (await accepted(cast))["order"]["id"])
    rider_id = {"unknown": str(uuid4()), "customer": cast.customer.person_id}.get(rider, cast.other_rider.person_id)
    if rider == "off shift":
        await cast.other_rider.done(f"/riders/{rider_id}/shift/end")
    answer = await cast.manager.post(f"/deliveries/{delivery_id}/assign", {"rider_id": rider_id})
    if rider == "off shift":
        await cast.other_rider.done(f"/riders/{rider_id}/shift/start")
    assert answer.refusal == (409, "rider.not_free")


async def test_another_riders_delivery_is_as_if_it_were_not(cast: Cast) -> None:
    order_id, delivery_id, code = await assigned(cast)
    assert (await cast.other_rider.get(f"/deliveries/{delivery_id}")).status == 404
    for move, body in (("pick-up", {"code": code}), ("arrive", {}), ("fail", {"reason": "x"})):
        assert (await cast.other_rider.post(f"/deliveries/{delivery_id}/{move}", body)).refusal == (404, "not_found")
    assert await status_of(cast, order_id) == "ready"


async def test_who_may_not_carry_is_told_so(cast: Cast) -> None:
    _, delivery_id, code = await assigned(cast)
    for caller in (cast.customer, cast.cook, cast.manager):
        assert (await caller.post(f"/deliveries/{delivery_id}/pick-up", {"code": code})).status == 403
    for caller in (cast.customer, cast.cook, cast.rider):
        assign = await caller.post(f"/deliveries/{delivery_id}/assign", {"rider_id": cast.rider.person_id})
        assert assign.status == 403


async def test_deliveries_are_listed_to_those_whom_they_concern(cast: Cast) -> None:
    _, delivery_id, _ = await assigned(cast)
    listed = [one["id"] for one in (await cast.rider.get("/deliveries?status=at_kitchen")).body["deliveries"]]
    assert delivery_id in listed
    assert (await cast.other_rider.get("/deliveries?status=at_kitchen")).body["deliveries"] == []
    assert "cash_due_minor" not in (await cast.customer.get(f"/deliveries/{delivery_id}")).body["delivery"]


async def test_a_delivery_is_read_with_its_version(cast: Cast) -> None:
    _, delivery_id, _ = await assigned(cast)
    answer = await cast.rider.get(f"/deliveries/{delivery_id}")
    assert answer.headers["ETag"] == f'"{answer.body["delivery"]["version"]}"'
