"""Makes the README's pictures from a running demo, so that they never show what is no longer there.

    hotpass demo --plain > demo.log &
    python deploy/screenshots.py demo.log

Reads the links that the demo printed, signs in as each role, waits until the screen is live and busy, and writes
`deploy/screenshots/{kitchen,rider,operations,track}.png`. Needs playwright and a Chromium (`CHROMIUM` names another).
"""

# ruff: noqa: INP001 (a script, not a package)
from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

TARGET = Path(__file__).parent / "screenshots"
LINK = re.compile(r"^\s*(customer|rider|expediter|manager)\s+(https?://\S+)", re.MULTILINE)
HUB = re.compile(r"^\s*hub\s+(https?://[^/\s]+)", re.MULTILINE)
LIVE = '.link-bar[data-link="live"]'
PATIENCE_MILLISECONDS = 120_000
FLAGS = ["--no-sandbox", "--use-fake-ui-for-media-stream"]


def main() -> None:
    """Take the four pictures."""
    told = Path(sys.argv[1]).read_text(encoding="utf-8")
    links = dict(LINK.findall(told))
    hub = HUB.search(told)
    if hub is None:
        raise SystemExit("the log names no hub: give the output of `hotpass demo --plain`")
    TARGET.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        kitchen = _open(browser, links["expediter"], width=1280, height=800, scheme="dark")
        kitchen.locator(".ticket").nth(3).wait_for()
        _take(kitchen, "kitchen")
        operations = _open(browser, links["manager"], width=1440, height=900, scheme="light")
        operations.locator(".ticker li").nth(8).wait_for()
        _take(operations, "operations")
        rider = _open(browser, links["rider"], width=390, height=844, scheme="dark", place=_kitchen(hub[1]))
        _start_shift(rider)
        rider.locator(".delivery, .offer").first.wait_for()
        _take(rider, "rider")
        track = _order_of_one_s_own(browser, links["customer"], hub[1])
        track.locator(".stages li:nth-child(3) time:not(:empty)").wait_for()
        _take(track, "track")
        browser.close()


def _start_shift(rider: Page) -> None:
    rider.locator(".shift-moves .button").first.wait_for()
    start = rider.get_by_role("button", name="Start shift")
    if start.count():
        start.click()


def _kitchen(hub_url: str) -> dict[str, float]:
    """Where the first kitchen is: there the pictured rider stands."""
    with urlopen(f"{hub_url}/v1/kitchens") as answer:  # noqa: S310 (the address of our own demo)
        kitchen = json.load(answer)["kitchens"][0]
    return {"latitude": kitchen["lat"], "longitude": kitchen["lon"]}


def _order_of_one_s_own(browser: Browser, link: str, hub_url: str) -> Page:
    """Sign in as the customer, order the first dish of the first kitchen, and open its tracking page."""
    page = _open(browser, link, width=390, height=844, scheme="light", is_live=False)
    page.locator(".home-main").wait_for()
    url = page.evaluate(
        """async (hub) => {
            const headers = {"X-Hotpass-Request": "session"};
            const {access_token} = await (await fetch("/session/token", {method: "POST", headers})).json();
            const {kitchens: [kitchen]} = await (await fetch(`${hub}/v1/kitchens`)).json();
            const {items} = await (await fetch(`${hub}/v1/kitchens/${kitchen.id}/menu`)).json();
            const order = {
                kitchen_id: kitchen.id, payment_method: "cash", note: "Second floor, left",
                items: items.slice(0, 2).map(({id}) => ({item_id: id, quantity: 1})),
                drop: {lat: kitchen.lat + 0.006, lon: kitchen.lon + 0.008},
            };
            const answer = await fetch(`${hub}/v1/orders`, {
                method: "POST", body: JSON.stringify(order),
                headers: {
                    "Content-Type": "application/json", Authorization: `Bearer ${access_token}`,
                    "Idempotency-Key": crypto.randomUUID(),
                },
            });
            return hub + (await answer.json()).tracking.url;
        }""",
        hub_url,
    )
    page.goto(url)
    page.locator(LIVE).wait_for()
    return page


def _open(
    browser: Browser, url: str, *, width: int, height: int, scheme: str, is_live: bool = True,
    place: dict[str, float] | None = None,
) -> Page:  # fmt: skip
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    if place is not None:
        context.grant_permissions(["geolocation"])
        context.set_geolocation(place)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    page = context.new_page()
    page.goto(url)
    if is_live:
        page.locator(LIVE).wait_for()
    return page


def _take(page: Page, name: str) -> None:
    page.screenshot(path=TARGET / f"{name}.png")
    sys.stdout.write(f"{TARGET / name}.png\n")


if __name__ == "__main__":
    main()
