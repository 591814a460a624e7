"""What a screen does so that a person in a loud kitchen, or on the road without a network, notices and still sees."""

from __future__ import annotations

from typing import Any

import asyncpg
from playwright.async_api import BrowserContext, Page, expect

from hub.client.http import Api
from tests.journeys.conftest import House
from tests.journeys.test_one_order import SAVED, Visit, pass_of, place

COUNT_NOTES = """() => {
    window.notes = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...given) { window.notes += 1; return start.apply(this, given); };
}"""
TUNE_NOTES = 2  # of each sound that a board makes for a ticket
CHANGE = "update order_line set quantity = 5, options = 'well done' where id = $1"
VOID = "update order_line set state = 'voided', reason = 'by hand' where id = $1"
NOTE = "update orders set note = 'no cutlery' where id = $1"


async def heard(page: Page, tunes: int) -> None:
    """Wait until so many tunes were played since the count began."""
    await page.wait_for_function(f"window.notes >= {tunes * TUNE_NOTES}")


async def by_hand(house: House, query: str, row_id: str) -> None:
    """Change a row past everything."""
    conn = await asyncpg.connect(house.database_url)
    await conn.execute(query, row_id)
    await conn.close()


async def listening(page: Page) -> None:
    """Touch the screen, as the browser wants before it plays, and count the notes from here."""
    await page.evaluate(COUNT_NOTES)
    await page.locator(".board-head").click(position={"x": 2, "y": 2})


async def test_a_new_ticket_rings_until_somebody_touches_the_board(house: House, visit: Visit, customer: Api) -> None:
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    await listening(kitchen)
    placed = await place(house, customer)
    await kitchen.locator(f'[data-order="{placed["order"]["id"]}"]').wait_for()
    bell = kitchen.locator(".bell")
    await expect(bell).to_contain_text("NEW")
    await heard(kitchen, 3)
    await bell.click()
    await expect(bell).to_have_text("♪ On")  # the tap that silences does not mute
    await kitchen.evaluate("window.notes = 0")
    await bell.click()
    await expect(bell).to_have_text("♪ Muted")
    await bell.click()
    assert await kitchen.evaluate("window.notes") == 0


async def test_an_offer_rings_until_it_is_answered(house: House, visit: Visit, customer: Api) -> None:
    rider = await visit("rider", house.link("rider", "/rider"))
    await listening(rider)
    if await (start := rider.get_by_role("button", name="Start shift")).count():
        await start.click()
    await place(house, customer)
    await rider.locator(".offer").first.wait_for()
    await heard(rider, 3)
    await rider.get_by_role("button", name="Decline").first.click()
    await expect(rider.locator(".bell")).not_to_have_attribute("data-ringing", "")


async def test_what_changed_on_a_ticket_stays_marked_until_a_cook_has_seen_it(
    house: House, visit: Visit, customer: Api
) -> None:
    placed = await place(house, customer)
    order_id, line_id = placed["order"]["id"], placed["lines"][0]["id"]
    kitchen = await visit("kitchen", house.link("expediter", pass_of(house)))
    ticket, line = kitchen.locator(f'[data-order="{order_id}"]'), kitchen.locator(f'[data-line="{line_id}"]')
    bump = ticket.locator(".bump")
    await expect(bump).to_contain_text("START")

    await by_hand(house, CHANGE, line_id)
    await expect(line.locator(".line-changed")).to_contain_text("CHANGED, was: 2")
    await expect(ticket.locator(".ticket-tags")).to_contain_text("CHANGED")
    await expect(bump).to_contain_text("SEEN")
    await line.click()  # the first tap says that it was seen, and moves nothing
    await expect(line.locator(".line-changed")).to_have_text("")
    await expect(bump).to_contain_text("START")

    await by_hand(house, NOTE, order_id)
    await expect(ticket.locator(".ticket-note")).to_have_attribute("data-changed", "NOTE CHANGED")
    await bump.click()
    await expect(bump).to_contain_text("START")

    await by_hand(house, VOID, line_id)
    await expect(line.locator(".line-changed")).to_contain_text("CANCELLED")
    await bump.click()
    await expect(line.locator(".line-changed")).to_have_text("")
    assert [event["event"] for event in await customer.timeline(order_id)].count("order.started") == 0


async def test_a_station_keeps_what_was_taken_from_it_until_it_is_seen(
    house: House, visit: Visit, customer: Api
) -> None:
    placed = await place(house, customer)
    kitchen = await visit("kitchen", house.link("cook", f"/kitchen/{house.city.kitchens[0].id}"))
    ticket = kitchen.locator(f'[data-order="{placed["order"]["id"]}"]')
    await ticket.wait_for()
    await by_hand(house, VOID, placed["lines"][0]["id"])
    await expect(ticket.locator(".line-changed")).to_contain_text("CANCELLED")
    await ticket.locator(".bump").click()
    await expect(ticket).to_have_count(0)


async def offline(context: BrowserContext, house: House, *, is_away: bool) -> Any:
    """Take the network away and the hub with it, or bring both back."""
    await context.set_offline(is_away)
    return house.kill("hub") if is_away else await house.start("hub")


async def test_the_customers_page_opens_offline_with_its_last_state(house: House, visit: Visit, customer: Api) -> None:
    placed = await place(house, customer)
    order = placed["order"]
    track = await visit("track", house.hub_url + placed["tracking"]["url"])
    await track.evaluate("navigator.serviceWorker.ready.then(() => null)")
    await track.reload()  # the second visit is the first one that the service worker sees
    await expect(track.locator('.link-bar[data-link="live"]')).to_be_visible()
    await track.wait_for_function(SAVED, arg=f"order:{order['id']}")
    await offline(track.context, house, is_away=True)
    await track.reload()
    await expect(track.locator('[data-field="code"]')).to_have_text(order["code"])
    await expect(track.locator('[data-field="status_word"]')).to_contain_text("Accepted")
    await expect(track.locator(".board")).to_have_attribute("data-stale", "")
    await expect(track.locator(".link-text")).to_contain_text("data from")
    await offline(track.context, house, is_away=False)
    await expect(track.locator('.link-bar[data-link="live"]')).to_be_visible()
