"""A keyed write has one effect, however often it comes; and a refused one says why, with the present row."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.caller import Caller
from tests.course import Cast, delivery_of, placed

ACCEPTED = "select count(*) from audit_event where entity_id = $1 and event = 'order.accepted'"


async def path_of(cast: Cast, move: str = "accept") -> tuple[str, str]:
    """(order, path of a move of it)."""
    order_id = (await placed(cast))["order"]["id"]
    return order_id, f"/orders/{order_id}/{move}"


async def test_the_same_key_and_body_get_the_stored_answer(cast: Cast) -> None:
    order_id, path = await path_of(cast)
    key = uuid4().hex
    first, again = [await cast.manager.post(path, key=key) for _ in range(2)]
    assert (first.status, first.body) == (again.status, again.body)
    assert await cast.conn.fetchval(ACCEPTED, order_id) == 1


async def test_the_stored_answer_stays_when_the_order_has_moved_on(cast: Cast) -> None:
    order_id, path = await path_of(cast)
    key = uuid4().hex
    first = await cast.manager.post(path, key=key)
    await cast.manager.done(f"/orders/{order_id}/cancel", {"reason": "flood"})
    again = await cast.manager.post(path, key=key)
    assert (again.status, again.body) == (200, first.body)


async def test_the_same_key_with_another_body_is_refused(cast: Cast) -> None:
    _, path = await path_of(cast, "amend")
    key = uuid4().hex
    await cast.manager.post(path, {"note": "one"}, key=key)
    answer = await cast.manager.post(path, {"note": "two"}, key=key)
    assert answer.refusal == (422, "idempotency.reused")


async def test_the_same_key_for_another_order_is_refused_and_does_nothing(cast: Cast) -> None:
    (_, one), (other_id, other) = [await path_of(cast) for _ in range(2)]
    key = uuid4().hex
    await cast.manager.post(one, key=key)
    assert (await cast.manager.post(other, key=key)).refusal == (422, "idempotency.reused")
    assert await cast.conn.fetchval(ACCEPTED, other_id) == 0


async def test_placing_with_a_used_key_is_refused(cast: Cast) -> None:
    key = uuid4().hex
    await cast.customer.post("/orders", cast.basket(1), key=key)
    assert (await cast.customer.post("/orders", cast.basket(2), key=key)).refusal == (422, "idempotency.reused")


async def test_two_people_may_use_the_same_key(cast: Cast) -> None:
    key = uuid4().hex
    answers = [await who.post("/orders", cast.basket(), key=key) for who in (cast.customer, cast.other_customer)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].body["order"]["id"] != answers[1].body["order"]["id"]


@pytest.mark.parametrize("key", ["", "with space", "x" * 101, "schlüssel"])
async def test_a_malformed_key_is_refused(cast: Cast, key: str) -> None:
    _, path = await path_of(cast)
    answer = await cast.manager.send("POST", path, b"{}", {"Idempotency-Key": key})
    assert answer.refusal == (400, "idempotency.malformed")


async def test_a_missing_key_is_refused_on_every_write(cast: Cast) -> None:
    order_id, path = await path_of(cast)
    answer = await cast.manager.send("POST", path, b"{}", {})
    assert answer.refusal == (400, "idempotency.missing")
    assert await cast.conn.fetchval(ACCEPTED, order_id) == 0


async def test_twenty_sends_at_once_have_one_effect_and_one_answer(cast: Cast) -> None:
    order_id, path = await path_of(cast)
    key = uuid4().hex
    answers = await asyncio.gather(*(cast.manager.post(path, key=key) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert all(answer.body == answers[0].body for answer in answers)
    assert await cast.conn.fetchval(ACCEPTED, order_id) == 1


async def test_twenty_orders_sent_at_once_with_one_key_are_one_order(cast: Cast) -> None:
    key = uuid4().hex
    answers = await asyncio.gather(*(cast.customer.post("/orders", cast.basket(3), key=key) for _ in range(20)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["order"]["id"] for answer in answers}) == 1


async def test_a_refused_move_leaves_its_key_free(cast: Cast) -> None:
    order_id, path = await path_of(cast, "recall")
    key = uuid4().hex
    assert (await cast.manager.post(path, {"reason": "x"}, key=key)).status == 409
    assert (await cast.manager.post(f"/orders/{order_id}/accept", key=key)).status == 200


async def test_a_stale_version_is_refused_with_the_row_and_the_legal_moves(cast: Cast) -> None:
    order = (await placed(cast))["order"]
    await cast.manager.done(f"/orders/{order['id']}/amend", {"note": "newer"})
    answer = await cast.manager.post(f"/orders/{order['id']}/accept", version=order["version"])
    assert answer.refusal == (409, "order.stale_version")
    assert answer.body["version"] == answer.body["row"]["version"] == order["version"] + 1
    assert answer.body["legal"] == ["accept", "reject", "expire", "cancel"]
    assert (await cast.manager.post(f"/orders/{order['id']}/accept", version=order["version"] + 1)).status == 200


async def test_of_two_who_read_the_same_version_one_wins(cast: Cast) -> None:
    order = (await placed(cast))["order"]
    path = f"/orders/{order['id']}/amend"
    answers = await asyncio.gather(
        *(cast.manager.post(path, {"note": str(number)}, version=order["version"]) for number in range(10))
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 9


@pytest.mark.parametrize("match", ["7", '"seven"', '"-1"', '"1", "2"', '"' + "9" * 19 + '"', "", '"१"'])
async def test_a_malformed_version_is_refused(cast: Cast, match: str) -> None:
    _, path = await path_of(cast)
    answer = await cast.manager.send("POST", path, b"{}", {"Idempotency-Key": uuid4().hex, "If-Match": match})
    assert answer.refusal == (400, "if_match.malformed")


async def test_any_version_may_be_asked_for(cast: Cast) -> None:
    _, path = await path_of(cast)
    answer = await cast.manager.send("POST", path, b"{}", {"Idempotency-Key": uuid4().hex, "If-Match": "*"})
    assert answer.status == 200


async def test_a_foreign_object_and_an_unknown_one_are_answered_alike(cast: Cast) -> None:
    made = await placed(cast)
    delivery_id = await delivery_of(cast, made["order"]["id"])
    tried: list[tuple[Caller, str, str]] = [
        (cast.other_customer, "/orders/{}/cancel", made["order"]["id"]),
        (cast.rider, "/deliveries/{}/arrive", delivery_id),
    ]
    for caller, path, own in tried:
        foreign, unknown = [
            await caller.post(path.format(one), {"reason": "x"} if "cancel" in path else {}) for one in (own, uuid4())
        ]
        told = [{**answer.body, "request_id": ""} for answer in (foreign, unknown)]
        assert foreign.status == 404 and told[0] == told[1]


async def test_the_audit_says_who_why_and_under_which_request(cast: Cast) -> None:
    order_id, path = await path_of(cast, "reject")
    answer = await cast.manager.post(path, {"reason": "no gas"})
    row = await cast.conn.fetchrow(
        "select actor, reason, request_id from audit_event where entity_id = $1 and event = 'order.rejected'", order_id
    )
    assert tuple(row) == (cast.manager.person_id, "no gas", answer.headers["X-Request-ID"])
