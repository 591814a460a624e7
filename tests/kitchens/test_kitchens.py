"""Kitchens over HTTP: menus, pauses, dishes that are off, and a capacity that no race exceeds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.course import Cast, placed


@pytest.fixture
async def path(cast: Cast) -> AsyncIterator[str]:
    """The path of the town's kitchen, which takes orders again afterwards."""
    yield f"/kitchens/{cast.town.kitchen_id}"
    await cast.conn.execute(
        "update kitchen set paused_until = null, is_open = true, capacity_orders = 1000000 where id = $1",
        cast.town.kitchen_id,
    )


async def test_anybody_reads_kitchens_and_menus(cast: Cast, path: str) -> None:
    nobody = cast.as_person(None)
    [kitchen] = (await nobody.get(f"/kitchens?region={cast.town.region}")).body["kitchens"]
    assert kitchen["id"] == cast.town.kitchen_id
    assert "capacity_orders" not in kitchen
    menu = (await nobody.get(f"{path}/menu")).body
    assert [item["id"] for item in menu["items"]] == list(cast.town.item_ids)
    assert "station_id" not in menu["items"][0]
    assert (await nobody.get("/kitchens?region=nowhere")).body == {"kitchens": []}


async def test_staff_see_more_of_their_kitchen(cast: Cast) -> None:
    [kitchen] = (await cast.manager.get("/kitchens")).body["kitchens"]
    assert kitchen["capacity_orders"] == 1_000_000


async def test_a_paused_kitchen_takes_no_order_until_it_resumes(cast: Cast, path: str) -> None:
    answer = await cast.manager.done(f"{path}/pause", {"minutes": 30, "reason": " fryer broken "})
    assert answer["kitchen"]["paused_until"] is not None
    assert (await cast.customer.post("/orders", cast.basket())).refusal == (409, "kitchen.paused")
    reason = await cast.conn.fetchval(
        "select reason from audit_event where entity = 'kitchen' and entity_id = $1 order by id desc limit 1",
        cast.town.kitchen_id,
    )
    assert reason == "fryer broken"
    await cast.manager.done(f"{path}/resume")
    await placed(cast)


async def test_a_pause_ends_by_itself(cast: Cast, path: str) -> None:
    await cast.manager.done(f"{path}/pause", {"minutes": 1, "reason": "rush"})
    await cast.conn.execute(
        "update kitchen set paused_until = product_now() where id = $1", cast.town.kitchen_id
    )  # a minute later
    await placed(cast)


async def test_a_closed_kitchen_takes_no_order(cast: Cast, path: str) -> None:
    await cast.conn.execute("update kitchen set is_open = false where id = $1", cast.town.kitchen_id)
    assert (await cast.customer.post("/orders", cast.basket())).refusal == (409, "kitchen.closed")


async def test_a_race_never_exceeds_the_capacity(cast: Cast, path: str) -> None:
    cooking = "select count(*) from orders where kitchen_id = $1 and status in ('placed', 'accepted', 'preparing')"
    room = await cast.conn.fetchval(cooking, cast.town.kitchen_id) + 3
    await cast.conn.execute("update kitchen set capacity_orders = $2 where id = $1", cast.town.kitchen_id, room)
    answers = await asyncio.gather(*(cast.customer.post("/orders", cast.basket()) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [409] * 17
    assert {answer.code for answer in answers if answer.status == 409} == {"kitchen.full"}
    assert await cast.conn.fetchval(cooking, cast.town.kitchen_id) == room


async def test_an_order_that_ends_makes_room(cast: Cast, path: str) -> None:
    made = await placed(cast)
    cooking = "select count(*) from orders where kitchen_id = $1 and status in ('placed', 'accepted', 'preparing')"
    room = await cast.conn.fetchval(cooking, cast.town.kitchen_id)
    await cast.conn.execute("update kitchen set capacity_orders = $2 where id = $1", cast.town.kitchen_id, room)
    assert (await cast.customer.post("/orders", cast.basket())).refusal == (409, "kitchen.full")
    await cast.manager.done(f"/orders/{made['order']['id']}/reject", {"reason": "no gas"})
    await placed(cast)


async def test_a_kitchen_that_accepts_by_itself_accepts_at_once(cast: Cast, path: str) -> None:
    await cast.conn.execute("update kitchen set auto_accept = true where id = $1", cast.town.kitchen_id)
    made = await placed(cast)
    await cast.conn.execute("update kitchen set auto_accept = false where id = $1", cast.town.kitchen_id)
    status = await cast.conn.fetchval("select status from orders where id = $1", made["order"]["id"])
    assert status == "accepted"


async def test_a_dish_goes_off_and_comes_back(cast: Cast, path: str) -> None:
    item = f"{path}/items/{cast.town.item_ids[0]}"
    assert (await cast.cook.done(f"{item}/86", {"reason": "no rice"}))["item"]["is_available"] is False
    again = await cast.cook.post(f"{item}/86")
    assert (again.refusal, again.body["legal"]) == ((409, "item.wrong_state"), ["back"])
    assert (await cast.cook.done(f"{item}/back"))["item"]["is_available"] is True
    assert (await cast.cook.post(f"{item}/back")).body["legal"] == ["86"]


@pytest.mark.parametrize(
    "body",
    [{"minutes": 0, "reason": "x"}, {"minutes": 241, "reason": "x"}, {"minutes": 5, "reason": " "}, {"minutes": 5}],
)
async def test_a_pause_that_cannot_be_is_refused(cast: Cast, path: str, body: dict[str, object]) -> None:
    assert (await cast.manager.post(f"{path}/pause", body)).refusal == (422, "body.invalid")


async def test_a_kitchen_elsewhere_is_as_if_it_were_not(cast: Cast) -> None:
    elsewhere = await cast.conn.fetchval(
        """insert into kitchen (region, code, name, lat, lon, time_zone, currency, capacity_orders, accept_seconds,
            auto_accept) values ('elsewhere', 'E', 'E', 1, 1, 'UTC', 'INR', 1, 60, false) returning id::text"""
    )
    answer = await cast.manager.post(f"/kitchens/{elsewhere}/pause", {"minutes": 5, "reason": "x"})
    assert answer.refusal == (404, "not_found")
    assert (await cast.cook.post(f"/kitchens/{elsewhere}/items/{cast.town.item_ids[0]}/86")).status == 404
    await cast.conn.execute("delete from kitchen where id = $1", elsewhere)


async def test_a_cook_does_not_pause(cast: Cast, path: str) -> None:
    for caller in (cast.cook, cast.customer, cast.rider):
        assert (await caller.post(f"{path}/pause", {"minutes": 5, "reason": "x"})).refusal == (403, "forbidden")


async def test_a_stale_edit_of_a_kitchen_or_a_dish_is_refused(cast: Cast, path: str) -> None:
    kitchen = (await cast.manager.get("/kitchens")).body["kitchens"][0]
    body = {"minutes": 5, "reason": "x"}
    answer = await cast.manager.post(f"{path}/pause", body, version=kitchen["version"] - 1)
    assert (answer.refusal, answer.body["version"]) == ((409, "kitchen.stale_version"), kitchen["version"])
    assert (await cast.manager.post(f"{path}/pause", body, version=kitchen["version"])).status == 200
    item = f"{path}/items/{cast.town.item_ids[1]}/86"
    assert (await cast.cook.post(item, version=99)).refusal == (409, "item.stale_version")


async def test_the_product_clock_is_public(cast: Cast) -> None:
    clock = (await cast.as_person(None).get("/clock")).body
    assert clock["rate"] == 1
    assert clock["at"].endswith("+00:00")
