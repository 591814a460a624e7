"""`live.js` in a real browser against a hub that breaks its promises: what is shown is true, or shown as stale."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route

from tests.client.small_hub import TOPIC, SmallHub, small_hub

STATIC = Path(__file__).parents[2] / "ui" / "static"
PAGE = f"""<!doctype html><title>live</title><script src="/static/socket.io.min.js"></script><script type="module">
import {{ Live }} from "/static/live.js";
window.states = [];
window.live = new Live({{
  hubUrl: location.origin, topics: ["{TOPIC}"], auth: async () => ({{ token: "t" }}),
  onState: (state) => window.states.push(state.kind),
}});
window.fold = window.live.fold("{TOPIC}");
window.held = () => Object.fromEntries(window.fold.rows("order").map((row) => [row.id, row.version]));
</script>"""


@pytest.fixture
async def hub() -> AsyncIterator[SmallHub]:
    async with small_hub() as hub:
        yield hub


@pytest.fixture
async def page(hub: SmallHub, browser: Browser) -> AsyncIterator[Page]:
    """A page of the hub's own origin with nothing on it but the live client."""
    for number in range(3):
        hub.commit(f"k{number}")
    # a page that is not fetched from anywhere has no address that Chromium would know to be local
    context = await browser.new_context(permissions=["local-network-access"])
    page = await context.new_page()

    async def serve(route: Route) -> None:
        path = route.request.url.removeprefix(hub.url)
        if path.startswith("/static/"):
            await route.fulfill(path=STATIC / path.removeprefix("/static/"))
        else:
            await route.fulfill(body=PAGE, content_type="text/html")

    await page.route(f"{hub.url}/page", serve)
    await page.route(f"{hub.url}/static/**", serve)
    await page.goto(f"{hub.url}/page")
    await until(page, "live.state.kind === 'live'")
    yield page
    await context.close()


async def until(page: Page, fact: str) -> None:
    """Wait until a fact holds on the page."""
    await page.wait_for_function(fact)


async def test_a_snapshot_and_the_changes_after_it_are_held(hub: SmallHub, page: Page) -> None:
    await hub.tell("k1")
    await until(page, "held().k1 === 4")
    assert await page.evaluate("held()") == {"k0": 1, "k1": 4, "k2": 3}


async def test_a_gap_is_asked_for(hub: SmallHub, page: Page) -> None:
    hub.commit("k0")  # nobody is told
    await hub.tell("k1")
    await until(page, "held().k0 === 4 && held().k1 === 5")
    assert hub.asked[-1] == {"topic": TOPIC, "epoch": 1, "offset": 3}


async def test_a_head_that_names_more_is_believed(hub: SmallHub, page: Page) -> None:
    hub.commit("k0")
    await hub.say("head", {"at": "2026-03-01T12:00:00+00:00", "rate": 1, "topics": {TOPIC: 4}})
    await until(page, "held().k0 === 4")


async def test_a_change_that_comes_twice_counts_once_and_an_older_row_never_wins(hub: SmallHub, page: Page) -> None:
    change = hub.commit("k0")
    await hub.say("change", change)
    await hub.say("change", change)
    await hub.say("change", hub.log[0])
    await hub.tell("k2")
    await until(page, "held().k2 === 5")
    assert await page.evaluate("held()") == {"k0": 4, "k1": 2, "k2": 5}


async def test_what_is_gone_stays_gone(hub: SmallHub, page: Page) -> None:
    await hub.say("change", hub.commit("k0", op="out"))
    await hub.say("change", {**hub.log[0], "offset": 5})
    await until(page, "fold.offset === 5")
    assert "k0" not in await page.evaluate("held()")


async def test_changes_that_come_with_the_answer_are_kept(hub: SmallHub, page: Page) -> None:
    hub.told_with_the_answer = 40
    await hub.cut()
    await until(page, "fold.offset === 43")
    assert await page.evaluate("Math.max(...Object.values(held()))") == 43


async def test_after_a_cut_only_what_was_missed_is_asked_for(hub: SmallHub, page: Page) -> None:
    await hub.cut()
    hub.commit("k2")
    await until(page, "held().k2 === 4 && live.state.kind === 'live'")
    assert hub.asked[-1]["offset"] == 3
    assert await page.evaluate("states.includes('live')")


async def test_a_new_epoch_starts_over_page_by_page(hub: SmallHub, page: Page) -> None:
    hub.epoch, hub.page_changes = 2, 2
    await hub.cut()
    await until(page, "fold.epoch === 2")
    assert await page.evaluate("held()") == {"k0": 1, "k1": 2, "k2": 3}
    assert [question.get("page") for question in hub.asked[-2:]] == [None, 1]


async def test_a_resync_is_followed_from_the_last_offset(hub: SmallHub, page: Page) -> None:
    hub.commit("k1")
    await hub.say("resync", {"topic": TOPIC})
    await until(page, "held().k1 === 4")


async def test_a_passing_refusal_is_asked_again_and_a_forbidden_topic_is_emptied(hub: SmallHub, page: Page) -> None:
    hub.refusals = ["rate_limited"]
    hub.commit("k1")
    await hub.say("resync", {"topic": TOPIC})
    await until(page, "held().k1 === 4")
    hub.refusals = ["forbidden"]
    await hub.say("resync", {"topic": TOPIC})
    await until(page, "live.state.kind === 'forbidden'")
    assert await page.evaluate("held()") == {}


async def test_a_revoked_topic_is_emptied_and_shown_as_ended(hub: SmallHub, page: Page) -> None:
    await hub.say("revoked", {"topic": TOPIC, "reason": "the grant ended"})
    await until(page, "live.state.kind === 'revoked'")
    assert await page.evaluate("[held(), live.state.isStale]") == [{}, True]


async def test_a_closed_socket_is_shown_stale(hub: SmallHub, page: Page) -> None:
    await hub.say("closing", {"code": "auth.expired", "reconnect": False})
    await until(page, "live.state.isStale")
