"""The customer's page behind its link: the state of the order, as text, and nothing for anybody who guesses."""

from __future__ import annotations

import re

from tests.course import Cast, accepted, at_door, placed


async def page_of(cast: Cast, url: str) -> tuple[int, str, str]:
    """(status, content security policy, page)."""
    async with cast.session.get(url) as answer:
        return answer.status, answer.headers["Content-Security-Policy"], await answer.text()


async def test_the_page_says_how_the_order_stands_without_a_script(cast: Cast) -> None:
    made = await accepted(cast, 2)
    status, policy, page = await page_of(cast, made["tracking"]["url"])
    assert status == 200
    assert made["order"]["code"] in page and "Accepted" in page and "2 × Dish 1" in page
    assert f'data-order="{made["order"]["id"]}"' in page
    assert "unsafe-inline" not in policy and "default-src 'none'" in policy
    assert "{{" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


async def test_the_page_tells_pin_and_cash_until_the_end(cast: Cast) -> None:
    made, delivery_id = await at_door(cast)
    pin = await cast.conn.fetchval("select delivery_pin from orders where id = $1", made["order"]["id"])
    assert pin in (await page_of(cast, made["tracking"]["url"]))[2]
    await cast.rider.done(f"/deliveries/{delivery_id}/deliver", {"reason": "left with the neighbour"})
    page = (await page_of(cast, made["tracking"]["url"]))[2]
    assert "Delivered" in page and f">{pin}<" not in page


async def test_what_people_write_stays_text(cast: Cast) -> None:
    await cast.conn.execute("update kitchen set name = '<b>&\"Kitchen' where id = $1", cast.town.kitchen_id)
    made = await placed(cast)
    page = (await page_of(cast, made["tracking"]["url"]))[2]
    assert "&lt;b&gt;&amp;&quot;Kitchen" in page and "<b>&" not in page


async def test_a_wrong_link_is_answered_like_one_that_never_was(cast: Cast) -> None:
    made = await placed(cast)
    wrong = made["tracking"]["token"][:-1] + ("0" if made["tracking"]["token"][-1] != "0" else "1")
    answers = [await page_of(cast, f"/t/{token}") for token in (wrong, "x", "%00", "..%2f..%2fetc", "f" * 4000)]
    assert {status for status, *_ in answers} == {404}
    assert len({page for *_, page in answers}) == 1


async def test_a_tracking_link_opens_no_other_door(cast: Cast) -> None:
    made = await placed(cast)
    bearer = {"Authorization": f"Bearer {made['tracking']['token']}"}
    answer = await cast.as_person(None).get(f"/orders/{made['order']['id']}", **bearer)
    assert answer.refusal == (401, "auth.invalid")
