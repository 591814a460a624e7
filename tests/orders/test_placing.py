"""Quotes and placing: the server prices, the kitchen's row decides, and nothing is half done."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.caller import Json
from tests.course import Cast, placed


async def test_a_quote_prices_and_promises_and_binds_nobody(cast: Cast) -> None:
    before = await cast.conn.fetchval("select count(*) from orders")
    quote = (await cast.customer.done("/quotes", cast.basket(2, 3)))["quote"]
    assert quote["subtotal_minor"] == 5 * 1000
    assert quote["total_minor"] == quote["subtotal_minor"] + quote["delivery_fee_minor"]
    assert quote["ready_expected_at"] < quote["promised_at"]
    assert await cast.conn.fetchval("select count(*) from orders") == before


async def test_placing_makes_the_order_with_all_that_belongs_to_it(cast: Cast) -> None:
    answer = await cast.customer.post("/orders", cast.basket(2, 1) | {"note": "ring twice"})
    assert answer.status == 201
    order = answer.body["order"]
    assert (order["status"], order["note"], order["items_count"]) == ("placed", "ring twice", 3)
    assert [line["quantity"] for line in answer.body["lines"]] == [2, 1]
    read = await cast.customer.get(f"/orders/{order['id']}")
    assert read.headers["ETag"] == f'"{order["version"]}"'
    assert read.body["delivery"]["status"] == "waiting"
    assert read.body["payment"]["amount_minor"] == order["total_minor"]


async def test_an_order_is_asked_for_with_the_price_that_was_quoted(cast: Cast) -> None:
    quote = (await cast.customer.done("/quotes", cast.basket(2)))["quote"]
    order = (await placed(cast, 2))["order"]
    assert order["total_minor"] == quote["total_minor"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"items": []}, "$.items"),
        ({"items": [{"item_id": "x", "quantity": 1}]}, "$.items[0].item_id"),
        ({"kitchen_id": "x"}, "$.kitchen_id"),
        ({"drop": {"lat": 91, "lon": 0}}, "$.drop"),
        ({"drop": {"lat": 0.0, "lon": 0.0}}, "$.drop"),
        ({"drop": {"lat": 12.9}}, "$.drop"),
        ({"note": "x" * 501}, "$.note"),
        ({"payment_method": "online"}, "$.payment_method"),
        ({"total_minor": 1}, "$"),
    ],
)
async def test_a_basket_that_cannot_be_is_refused_with_the_place_of_the_fault(
    cast: Cast, change: Json, path: str
) -> None:
    answer = await cast.customer.post("/orders", cast.basket() | change)
    assert (answer.status, answer.body["path"]) == (422, path)


@pytest.mark.parametrize("quantity", [0, -1, 100, 10**30, 1.5, "2", True, None])
async def test_a_quantity_is_a_whole_number_from_1_to_99(cast: Cast, quantity: object) -> None:
    items = [{"item_id": cast.town.item_ids[0], "quantity": quantity}]
    answer = await cast.customer.post("/quotes", json.dumps(cast.basket() | {"items": items}).encode())
    assert (answer.status, answer.body["path"]) == (422, "$.items[0].quantity")


async def test_a_dish_stands_once_in_a_basket(cast: Cast) -> None:
    item = {"item_id": cast.town.item_ids[0], "quantity": 1}
    answer = await cast.customer.post("/quotes", cast.basket() | {"items": [item, item]})
    assert (answer.status, answer.body["path"]) == (422, "$.items")


async def test_an_unknown_kitchen_is_not_found(cast: Cast) -> None:
    answer = await cast.customer.post("/orders", cast.basket() | {"kitchen_id": str(uuid4())})
    assert answer.refusal == (404, "not_found")


async def test_a_dish_of_another_kitchen_is_unknown_here(cast: Cast) -> None:
    items = [{"item_id": str(uuid4()), "quantity": 1}]
    assert (await cast.customer.post("/orders", cast.basket() | {"items": items})).code == "order.unknown_item"


async def test_an_address_too_far_away_is_refused(cast: Cast) -> None:
    answer = await cast.customer.post("/quotes", cast.basket() | {"drop": {"lat": 13.5, "lon": 77.59}})
    assert answer.refusal == (422, "order.outside_area")


async def test_a_sold_out_dish_cannot_be_ordered(cast: Cast) -> None:
    item = cast.town.item_ids[5]
    await cast.manager.done(f"/kitchens/{cast.town.kitchen_id}/items/{item}/86")
    basket = cast.basket() | {"items": [{"item_id": item, "quantity": 1}]}
    assert (await cast.customer.post("/orders", basket)).refusal == (409, "order.item_unavailable")
    await cast.manager.done(f"/kitchens/{cast.town.kitchen_id}/items/{item}/back")
    assert (await cast.customer.post("/orders", basket)).status == 201


async def test_a_repeat_gets_the_first_order_even_when_the_menu_has_changed(cast: Cast) -> None:
    item, key = cast.town.item_ids[4], uuid4().hex
    basket = cast.basket() | {"items": [{"item_id": item, "quantity": 1}]}
    first = await cast.customer.post("/orders", basket, key=key)
    await cast.manager.done(f"/kitchens/{cast.town.kitchen_id}/items/{item}/86")
    again = await cast.customer.post("/orders", basket, key=key)
    assert (again.status, again.body["order"]["id"]) == (201, first.body["order"]["id"])


async def test_who_may_not_order_is_told_so(cast: Cast) -> None:
    assert (await cast.rider.post("/orders", cast.basket())).refusal == (403, "forbidden")
    assert (await cast.stranger.post("/orders", cast.basket())).refusal == (403, "forbidden")
    assert (await cast.as_person(None).post("/orders", cast.basket())).refusal == (401, "auth.required")


async def test_orders_are_listed_newest_first_by_pages(cast: Cast) -> None:
    made = [(await cast.other_customer.done("/orders", cast.basket()))["order"]["id"] for _ in range(5)]
    page = await cast.other_customer.get("/orders?limit=3")
    assert [order["id"] for order in page.body["orders"]] == made[:1:-1]
    rest = await cast.other_customer.get(f"/orders?limit=3&after={page.body['next']}")
    assert ([order["id"] for order in rest.body["orders"]], rest.body["next"]) == (made[1::-1], None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "after=x", "colour=red", "kitchen_id=1", "limit=²"]
)
async def test_a_page_that_cannot_be_is_refused(cast: Cast, query: str) -> None:
    assert (await cast.customer.get(f"/orders?{query}")).status == 400


@pytest.mark.parametrize("query", ["status=%00", "status=%ED%A0%80", "status=%FF", "status=" + "x" * 2000])
async def test_a_strange_filter_finds_nothing_and_breaks_nothing(cast: Cast, query: str) -> None:
    answer = await cast.customer.get(f"/orders?{query}")
    assert answer.status in {200, 400, 422}
