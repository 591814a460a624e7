"""Every page, dark and light, empty and busy, with its dialogs: axe finds nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page

from hub.client.http import Api
from tests.journeys.accessibility import violations
from tests.journeys.conftest import ColorScheme, House
from tests.journeys.test_one_order import Visit, pass_of, place

PLANTED = "document.body.append(Object.assign(document.createElement('img'), { src: 'data:,' }))"


async def faults(name: str, page: Page) -> list[str]:
    """One sentence for each broken rule."""
    return [f"{name}: {one['impact']} {one['id']}: {one['nodes'][:2]}" for one in await violations(page)]


async def faults_of_dialog(name: str, page: Page, open_it: Callable[[], Awaitable[None]]) -> list[str]:
    """The same with a dialog open, which is closed again."""
    await open_it()
    await page.locator("dialog[open]").wait_for()
    found = await faults(name, page)
    await page.locator("dialog[open]").get_by_role("button", name="Close").click()
    return found


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_no_page_breaks_a_rule_of_accessibility(
    house: House, visit: Visit, customer: Api, scheme: ColorScheme
) -> None:
    region, kitchen_id = house.city.region, house.city.kitchens[0].id
    found: list[str] = []
    board = await visit("kitchen", house.link("expediter", f"{pass_of(house)}&scheme={scheme}"), scheme=scheme)
    station = await visit("kitchen", house.link("cook", f"/kitchen/{kitchen_id}?scheme={scheme}"), scheme=scheme)
    rider = await visit("rider", house.link("rider", "/rider"), scheme=scheme)
    operations = await visit("operations", house.link("manager", f"/operations/{region}"), scheme=scheme)
    screens = {"pass": board, "station": station, "rider": rider, "operations": operations}
    for name, page in screens.items():
        found += await faults(f"{name}, as it opens", page)

    if await (start := rider.get_by_role("button", name="Start shift")).count():
        await start.click()
    placed = await place(house, customer, note="ring twice")
    screens["track"] = await visit("track", house.hub_url + placed["tracking"]["url"], scheme=scheme)
    await board.locator(f'[data-order="{placed["order"]["id"]}"]').wait_for()
    await rider.locator(".offer, .delivery").first.wait_for()
    for name, page in screens.items():
        found += await faults(f"{name}, busy", page)
    if await (accept := rider.get_by_role("button", name="ACCEPT")).count():
        await accept.first.click()
    await rider.locator(".delivery").first.wait_for()
    found += await faults("rider with a delivery", rider)

    for key, name in (("?", "keys"), ("r", "recall")):
        found += await faults_of_dialog(name, board, lambda key=key: board.keyboard.press(key))
    found += await faults_of_dialog("dishes", board, board.get_by_role("button", name="86").first.click)
    found += await faults_of_dialog("timeline", operations, operations.locator(".ticker .button").first.click)
    assert found == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_the_ways_in_break_no_rule_of_accessibility(house: House, visit: Visit, scheme: ColorScheme) -> None:
    found: list[str] = []
    home = await visit("operations", house.link("manager", f"/operations/{house.city.region}"), scheme=scheme)
    await home.goto(f"{house.ui_url}/home")
    await home.locator(".door").first.wait_for()
    found += await faults("home", home)
    await home.get_by_role("button", name="Sign out").click()
    await home.get_by_role("heading", name="Sign in to Hotpass").wait_for()
    found += await faults("sign in", home)
    await home.goto(f"{house.hub_url}/t/unknown")
    found += await faults("a tracking link that is not known", home)
    assert found == []


async def test_the_checker_finds_a_planted_fault(house: House, visit: Visit) -> None:
    operations = await visit("operations", house.link("manager", f"/operations/{house.city.region}"))
    await operations.evaluate(PLANTED)
    assert "image-alt" in {one["id"] for one in await violations(operations)}
