"""The ways in: a link, a code by phone, a password; what keeps one in, and the way out."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser, BrowserContext, Cookie, Page, expect

from hub.client.errors import ApiError
from hub.client.http import Api, open_session
from tests.journeys.conftest import House


async def test_a_link_works_once_and_signing_out_ends_it(house: House, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    link = house.link("manager", "/home")
    await page.goto(link)
    await page.get_by_role("link", name=f"Operations · {house.city.region}").click()
    await expect(page.locator('.link-bar[data-link="live"]')).to_be_visible()
    await page.goto(f"{house.ui_url}/home")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in to Hotpass")).to_be_visible()
    await page.goto(link)
    await expect(page.locator(".told")).to_contain_text("used before")
    await page.goto(f"{house.ui_url}/operations/{house.city.region}")
    await page.wait_for_url("**/login?next=**")
    await context.close()


async def test_the_form_asks_for_a_code_and_refuses_a_wrong_one_in_words(house: House, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{house.ui_url}/login")
    await page.get_by_label("Phone", exact=True).fill("+49 1512 3456789")
    await page.get_by_role("button", name="Send me a code").click()
    await expect(page.locator(".told")).to_contain_text("Sent to")
    await page.get_by_label("Code", exact=True).fill("000000")
    await page.get_by_role("button", name="Sign in").first.click()
    await expect(page.locator(".told")).not_to_contain_text("Sent to")
    await expect(page.locator(".told")).not_to_be_empty()
    await expect(page.get_by_label("Code", exact=True)).to_be_visible()
    await context.close()


async def test_a_code_signs_in_a_reload_keeps_it_and_signing_out_ends_it(house: House, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{house.ui_url}/login")
    await page.get_by_label("Phone", exact=True).fill("+49 1512 3456780")
    await page.get_by_role("button", name="Send me a code").click()
    await expect(page.locator(".told")).to_contain_text("Sent to")
    await page.get_by_label("Code", exact=True).fill(await code_in_inbox(house, context, "+4915123456780"))
    await page.get_by_role("button", name="Sign in").first.click()
    await expect(page.get_by_role("heading", name="Hello Guest")).to_be_visible()
    await stays_then_ends(house, context, page, "Hello Guest")
    await context.close()


async def test_a_password_signs_staff_in_and_a_wrong_one_does_not(house: House, browser: Browser) -> None:
    manager = house.city.on_duty("manager")[0]
    await set_password(house, manager.id, "the.manager", "four boiling kettles")
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{house.ui_url}/login?next=/operations/{house.city.region}")
    await page.get_by_text("Staff: sign in with a password").click()
    await page.get_by_label("Login", exact=True).fill("The.Manager")
    for password in ("four boiling kettle", "four boiling kettles"):
        await page.get_by_label("Password", exact=True).fill(password)
        await page.locator("details").get_by_role("button", name="Sign in").click()
        if password == "four boiling kettle":
            await expect(page.locator(".told")).to_contain_text("do not belong together")
    await page.wait_for_url(f"**/operations/{house.city.region}")
    await expect(page.locator('.link-bar[data-link="live"]')).to_be_visible()
    await page.goto(f"{house.ui_url}/home")
    await stays_then_ends(house, context, page, f"Hello {manager.name}")
    await context.close()


async def stays_then_ends(house: House, context: BrowserContext, page: Page, greeting: str) -> None:
    """The sign-in outlives a reload in a cookie that no script reads, and is over everywhere after signing out."""
    await expect(page.get_by_role("heading", name=greeting)).to_be_visible()
    before = await refresh_cookie(house, context)
    assert before is not None
    assert before["httpOnly"] and before["sameSite"] == "Strict"
    assert "hpr_" not in await page.evaluate("document.cookie + JSON.stringify({...localStorage, ...sessionStorage})")
    await page.reload()
    await expect(page.get_by_role("heading", name=greeting)).to_be_visible()
    after = await refresh_cookie(house, context)
    assert after is not None and after["value"] != before["value"]
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in to Hotpass")).to_be_visible()
    assert await refresh_cookie(house, context) is None
    async with open_session() as session:
        with pytest.raises(ApiError, match="auth"):
            await Api(hub_url=house.hub_url, session=session).refresh(after["value"])
    await page.goto(f"{house.ui_url}/home")
    await expect(page.get_by_role("heading", name="Sign in to Hotpass")).to_be_visible()


async def refresh_cookie(house: House, context: BrowserContext) -> Cookie | None:
    """The one cookie with the refresh token."""
    return next((one for one in await context.cookies(house.ui_url) if one["name"] == "hotpass"), None)


async def code_in_inbox(house: House, context: BrowserContext, phone: str) -> str:
    """The code of the newest message to a number, read where a developer reads it."""
    inbox = await context.new_page()
    await inbox.goto(f"{house.hub_url}/v1/development/inbox")
    messages = json.loads(await inbox.locator("pre").inner_text())["messages"]
    await inbox.close()
    return str(next(one["text"] for one in messages if one["phone"] == phone)[:6])


async def set_password(house: House, person_id: str, login: str, password: str) -> None:
    """As an administrator does it."""
    token = house.access_token(house.city.on_duty("administrator")[0].id)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{house.hub_url}/v1/users/{person_id}/password"
    async with (
        open_session() as http,
        http.put(url, json={"login": login, "password": password}, headers=headers) as told,
    ):
        assert told.status == 200, await told.text()
