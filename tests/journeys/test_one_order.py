"""One order from placing to the door, on the four screens side by side: nobody ever reloads a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, expect

from hub.client.http import Api
from tests.journeys.conftest import House

Visit = Callable[..., Awaitable[Page]]
HOSTILE = '<img src=x onerror="document.title=1"> & "quoted"'

SAVED = """async (topic) => {
    const opening = indexedDB.open("hotpass");
    await new Promise((done) => (opening.onsuccess = done));
    const asking = opening.result.transaction("topics").objectStore("topics").get(topic);
    await new Promise((done) => (asking.onsuccess = done));
    opening.result.close();
    return asking.result?.entities.get("order")?.size > 0;
}"""


async def place(house: House, customer: Api, *, note: str = "ring twice", options: str = "no onion") -> Any:
    """An order of one dish, a short way from its kitchen."""
    kitchen = house.city.kitchens[0]
    item = next(item for item in house.city.items if item.kitchen_id == kitchen.id)
    return await customer.place_order(
        kitchen_id=kitchen.id, note=note, items=[{"item_id": item.id, "quantity": 2, "options": options}],
        drop={"lat": kitchen.lat + 0.004, "lon": kitchen.lon + 0.004},
    )  # fmt: skip


def pass_of(house: House) -> str:
    """The address of the pass of the only kitchen."""
    return f"/kitchen/{house.city.kitchens[0].id}?mode=expediter"


async def bump(kitchen: Page, order_id: str, word: str) -> None:
    """Press the ticket's button once it offers that step."""
    button = kitchen.locator(f'[data-order="{order_id}"] .bump')
    await expect(button).to_contain_text(word)
    await button.click()


async def slide(rider: Page, word: str) -> None:
    """Confirm a step of the only delivery: press, and press again."""
    step = rider.locator(".delivery .slide")
    await expect(step).to_contain_text(word)
    await step.click()
    await expect(step).to_contain_text("Press again")
    await step.click()


async def test_one_order_moves_all_four_screens(house: House, visit: Visit, customer: Api) -> None:
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    rider = await visit("rider", house.link("rider", "/rider"))
    operations = await visit("operations", house.link("manager", f"/operations/{house.city.region}"))
    await rider.get_by_role("button", name="Start shift").click()
    await expect(rider.locator(".shift-state")).to_contain_text("On shift")
    await expect(operations.locator(".rider-list")).to_contain_text("Free")

    placed = await place(house, customer)
    order = placed["order"]
    track = await visit("track", house.hub_url + placed["tracking"]["url"])
    status = track.locator('[data-field="status_word"]')
    await expect(operations.locator(".ticker")).to_contain_text(order["code"])
    await expect(status).to_contain_text("Accepted")

    await bump(kitchen, order["id"], "START")
    await expect(status).to_contain_text("Cooking")
    await rider.locator(".offer").get_by_role("button", name="ACCEPT").click()
    await slide(rider, "ARRIVED")
    await expect(kitchen.locator(f'[data-order="{order["id"]}"]')).to_contain_text("At the kitchen")
    await bump(kitchen, order["id"], "DONE")
    await bump(kitchen, order["id"], "READY")
    await expect(status).to_contain_text("Ready")

    await rider.get_by_label("Code on the bag").fill(order["code"])
    await slide(rider, "PICKED UP")
    await expect(status).to_contain_text("On the way")
    await expect(track.locator(".track-map circle").first).to_be_visible()
    await expect(kitchen.locator(f'[data-order="{order["id"]}"]')).to_have_count(0)
    await slide(rider, "AT THE DOOR")
    await expect(status).to_contain_text("at your door")
    pin = await track.locator('[data-field="pin"]').inner_text()
    await rider.get_by_label("Customer's code").fill(pin)
    await slide(rider, "DELIVERED")
    await expect(status).to_contain_text("Delivered")
    await expect(operations.locator('[data-state="order-delivered"] b')).not_to_have_text("0")
    await expect(rider.locator(".delivery")).to_have_count(0)


async def test_a_kitchen_without_network_says_so_and_catches_up(house: House, visit: Visit, customer: Api) -> None:
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    first = (await place(house, customer))["order"]
    ticket = kitchen.locator(f'[data-order="{first["id"]}"]')
    await expect(ticket.locator(".bump")).to_contain_text("START")

    house.kill("hub")
    await expect(kitchen.locator(".board")).to_have_attribute("data-stale", "")
    await expect(kitchen.locator(".link-text")).to_contain_text("data from")
    await ticket.locator(".bump").click()
    await expect(kitchen.locator(".link-text")).to_contain_text("1 action queued")
    await house.start("hub")

    await expect(kitchen.locator('.link-bar[data-link="live"]')).to_be_visible()
    await expect(kitchen.locator(".link-text")).not_to_contain_text("queued")
    await expect(ticket.locator(".bump")).to_contain_text("DONE")
    assert [event["event"] for event in await customer.timeline(first["id"])].count("order.started") == 1
    second = (await place(house, customer))["order"]
    await expect(kitchen.locator(f'[data-order="{second["id"]}"]')).to_be_visible()


async def test_a_board_goes_on_while_the_ui_server_restarts(house: House, visit: Visit, customer: Api) -> None:
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    await kitchen.evaluate("window.isTheSamePage = true")
    house.kill("ui")
    order = (await place(house, customer))["order"]
    await expect(kitchen.locator(f'[data-order="{order["id"]}"]')).to_be_visible()
    await house.start("ui")
    await bump(kitchen, order["id"], "START")
    await bump(kitchen, order["id"], "DONE")
    assert await kitchen.evaluate("window.isTheSamePage === true")


async def test_hostile_text_is_text_on_every_screen(house: House, visit: Visit, customer: Api) -> None:
    placed = await place(house, customer, note=HOSTILE, options=HOSTILE)
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    operations = await visit("operations", house.link("manager", f"/operations/{house.city.region}"))
    track = await visit("track", house.hub_url + placed["tracking"]["url"])
    ticket = kitchen.locator(f'[data-order="{placed["order"]["id"]}"]')
    await expect(ticket.locator(".ticket-note")).to_contain_text(HOSTILE)
    await expect(ticket.locator(".line-options")).to_contain_text(HOSTILE)
    await expect(track.locator('[data-field="lines"]')).to_contain_text(HOSTILE)
    for page in (kitchen, operations, track):
        assert await page.locator("img").count() == 0
        assert await page.title() != "1"


async def test_a_board_opens_without_any_server_from_its_last_state(house: House, visit: Visit, customer: Api) -> None:
    order = (await place(house, customer))["order"]
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    ticket = kitchen.locator(f'[data-order="{order["id"]}"]')
    await expect(ticket).to_be_visible()
    await kitchen.evaluate("navigator.serviceWorker.ready.then(() => null)")
    await kitchen.reload()  # the second visit is the first one that the service worker sees
    await expect(ticket).to_be_visible()
    await expect(kitchen.locator('.link-bar[data-link="live"]')).to_be_visible()
    await kitchen.wait_for_function(SAVED, arg=f"kitchen:{house.city.kitchens[0].id}")
    house.kill("ui")
    house.kill("hub")
    await kitchen.reload()
    await expect(ticket).to_be_visible()
    await expect(kitchen.locator(".board")).to_have_attribute("data-stale", "")
    await house.start("hub")
    await house.start("ui")
    await expect(kitchen.locator('.link-bar[data-link="live"]')).to_be_visible()
