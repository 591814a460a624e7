"""The way in: a spent link, the form, and the way out."""

from __future__ import annotations

from playwright.async_api import Browser, expect

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
