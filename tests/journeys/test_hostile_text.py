"""Names, notes and reasons that nobody wishes for, on every screen: they stay text, and burst nothing."""

from __future__ import annotations

import asyncpg
from playwright.async_api import Page, expect

from hub.client.http import Api
from tests.journeys.conftest import House
from tests.journeys.test_one_order import Visit, pass_of, place

MARKUP = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>"\'&lt;${harm}{{harm}}'
# The text, and the part of it by which it is recognized on a screen.
TEXTS = {
    "markup": (MARKUP, "<img src=x onerror"),
    "right to left": ("\u202eמלצרית \u2066שלום\u2069 تجربة\u202e 12 >", "מלצרית"),
    "long": ("W" * 200, "W" * 50),
    "emoji": ("👩‍👩‍👧‍👦🏳️‍🌈🍕" * 20 + "ﷺ" + "Z\u0335\u0336\u0337\u0338" * 8, "🍕"),
}
# Every text of the trade that a screen may show; the names of the house itself too, because somebody types them.
EVERYWHERE = (
    "update kitchen set name = $1",
    "update brand set name = $1",
    "update station set name = $1",
    "update item set name = $1, brand_name = $1, allergens = array[$1]",
    "update person set name = left($1, 80)",
    "update rider set name = $1",
    "update orders set note = $1, reason = $1, customer_name = $1, kitchen_name = $1, brand_name = $1",
    "update order_line set name = $1, options = $1, allergens = array[$1]",
    "update delivery set pickup_name = $1, reason = $1, rider_name = $1",
    "update offer set pickup_name = $1",
)
# What sticks out of the window sideways, unless something around it cuts or scrolls it; and the page itself.
STICKING_OUT = """() => {
    const isBounded = (node) => {
        for (let around = node.parentElement; around !== null; around = around.parentElement) {
            const { overflowX } = getComputedStyle(around);
            const box = around.getBoundingClientRect();
            if (overflowX !== "visible" && box.right <= innerWidth + 1 && box.left >= -1) return true;
        }
        return node.closest("svg, .visually-hidden, .q-loading-bar") !== null;
    };
    const root = document.scrollingElement;
    const found = root.scrollWidth > root.clientWidth + 1 ? [`the page is ${root.scrollWidth} wide`] : [];
    for (const node of document.body.querySelectorAll("*")) {
        const box = node.getBoundingClientRect();
        if (box.width === 0 || (box.right <= innerWidth + 1 && box.left >= -1) || isBounded(node)) continue;
        found.push(`${node.tagName}.${node.className}: ${box.left.toFixed()} to ${box.right.toFixed()}`);
    }
    return found;
}"""
# Buttons whose middle is covered by something else, or that lie outside: nobody could press them.
UNREACHABLE = """() => {
    if (document.querySelector("dialog[open]") !== null) return [];
    const scrolls = ".ticket-lines, .panel, .rider-main, .all-day, .track-main";
    const covered = (node) => {
        const box = node.getBoundingClientRect();
        if (box.width === 0 || node.closest(scrolls)) return false;
        const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        return top === null || !(node === top || node.contains(top));
    };
    const tools = [...document.querySelectorAll(".board button:not(:disabled), .board select")];
    return tools.filter(covered).map((node) => node.textContent.slice(0, 40));
}"""


async def say_everywhere(house: House, text: str) -> None:
    """Put the text where any text may stand; a name that the database bounds is cut."""
    conn = await asyncpg.connect(house.database_url)
    for query in EVERYWHERE:
        await conn.execute(query, text)
    await conn.close()


async def faults(name: str, page: Page) -> list[str]:
    """What is wrong with a screen."""
    found = [f"{name}: {fault}" for fault in await page.evaluate(STICKING_OUT)]
    found += [f"{name}: nobody can press {fault}" for fault in await page.evaluate(UNREACHABLE)]
    if await page.evaluate("window.harm !== undefined || document.querySelector('img') !== null"):
        found.append(f"{name}: a script ran, or markup became an element")
    return found


async def open_all(house: House, visit: Visit, customer: Api) -> tuple[dict[str, Page], str]:
    """Every screen with something on it, and the order that they show."""
    placed = await place(house, customer)
    region = house.city.region
    rider = await visit("rider", house.link("rider", "/rider"))
    await rider.get_by_role("button", name="Start shift").click()
    await rider.get_by_role("button", name="ACCEPT").first.click()
    await rider.locator(".delivery").first.wait_for()
    screens = {
        "rider": rider,
        "pass": await visit("kitchen", house.link("expediter", pass_of(house))),
        "station": await visit("kitchen", house.link("cook", f"/kitchen/{house.city.kitchens[0].id}")),
        "operations": await visit("operations", house.link("manager", f"/operations/{region}")),
        "track": await visit("track", house.hub_url + placed["tracking"]["url"]),
        "home": await visit("operations", house.link("cook", f"/kitchen/{house.city.kitchens[0].id}")),
    }
    await screens["home"].goto(f"{house.ui_url}/home")
    await screens["home"].locator(".door").first.wait_for()
    return screens, placed["order"]["id"]


async def test_hostile_text_stays_text_and_bursts_no_screen(house: House, visit: Visit, customer: Api) -> None:
    screens, order_id = await open_all(house, visit, customer)
    shown = {
        "pass": f'[data-order="{order_id}"] .line-name', "rider": ".delivery-where", "operations": ".load-name",
        "track": '[data-field="kitchen"]',
    }  # fmt: skip
    found: list[str] = []
    for kind, (text, sign) in TEXTS.items():
        await say_everywhere(house, text)
        for name, place_of_text in shown.items():
            await expect(screens[name].locator(place_of_text).first).to_contain_text(sign)
        for name, page in screens.items():
            found += await faults(f"{kind}: {name}", page)
            await page.evaluate("document.documentElement.dir = 'rtl'")
            found += await faults(f"{kind}: {name}, from right to left", page)
            await page.evaluate("document.documentElement.dir = 'ltr'")
        await screens["pass"].keyboard.press("r")
        await screens["pass"].locator("dialog[open]").wait_for()
        found += await faults(f"{kind}: recall", screens["pass"])
        await screens["pass"].keyboard.press("Escape")
        await screens["track"].reload()
        found += await faults(f"{kind}: track, as the hub writes it", screens["track"])
        await screens["home"].reload()
        await screens["home"].locator(".door").first.wait_for()
    assert not found, "\n".join(found)


async def test_a_planted_burst_is_found(house: House, visit: Visit) -> None:
    operations = await visit("operations", house.link("manager", f"/operations/{house.city.region}"))
    assert await faults("operations", operations) == []
    await operations.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"width: 3000px\">wide</p>')")
    assert await faults("operations", operations) != []
