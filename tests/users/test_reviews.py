"""An order of somebody under review waits for a person who may decide; the kitchen cannot take it before that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.snapshots import SNAPSHOT
from hub.domain.topics import TopicKind
from tests.caller import Answer, Caller, Json
from tests.course import Cast, status_of
from tests.town import person, sequenced, until

WHY = {"reason": "three orders were refused at the door"}
TOLD = "select event from change where entity = 'review' and $2 = any(topics) and entity_id = $1 order by pos"


@pytest.fixture
async def admin(cast: Cast) -> Caller:
    """An administrator of everything."""
    return cast.as_person(await person(cast.conn, "Admin", ("administrator", "*")))


@pytest.fixture
async def suspect(cast: Cast, admin: Caller) -> Caller:
    """A customer whose orders are to be looked at for a day."""
    customer = cast.as_person(await person(cast.conn, "Suspect", ("customer", "own")))
    assert (await block(admin, customer)).status == 201
    return customer


async def block(admin: Caller, customer: Caller, *, seconds: float = 86_400, effect: str = "review") -> Answer:
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    body = {"kind": "person", "value": customer.person_id, "effect": effect, "expires_at": until} | WHY
    return await admin.post("/blocks", body)


async def review_of(cast: Cast, order_id: str) -> Json:
    """The review of an order, as the manager sees it."""
    [found] = [one for one in await reviews(cast.manager) if one["order_id"] == order_id]
    return found


async def reviews(who: Caller, query: str = "") -> list[Json]:
    return list((await who.get("/reviews" + query)).body["reviews"])


async def test_an_order_waits_until_it_is_approved(cast: Cast, suspect: Caller) -> None:
    order = (await suspect.done("/orders", cast.basket()))["order"]
    assert WHY["reason"] not in str(order)
    refused = await cast.manager.post(f"/orders/{order['id']}/accept")
    assert refused.refusal == (409, "order.under_review")
    review = await review_of(cast, order["id"])
    assert (review["state"], review["reason"], review["order_code"]) == ("waiting", WHY["reason"], order["code"])
    answer = await cast.manager.done(f"/reviews/{review['id']}/approve", {"reason": "called: she is fine"})
    assert (answer["review"]["state"], answer["review"]["decided_by"]) == ("approved", cast.manager.person_id)
    assert (await cast.manager.done(f"/orders/{order['id']}/accept"))["order"]["status"] == "accepted"
    again = await cast.manager.post(f"/reviews/{review['id']}/refuse", WHY)
    assert (again.refusal, again.body["legal"]) == ((409, "review.wrong_state"), [])


async def test_a_refusal_rejects_the_order_and_tells_the_customer_no_reason_of_the_block(
    cast: Cast, suspect: Caller
) -> None:
    order = (await suspect.done("/orders", cast.basket()))["order"]
    review = await review_of(cast, order["id"])
    await cast.manager.done(f"/reviews/{review['id']}/refuse", {"reason": "again nobody answers"})
    whole = (await suspect.get(f"/orders/{order['id']}")).body
    assert (whole["order"]["status"], whole["payment"]["state"], whole["delivery"]["status"]) == (
        "rejected", "void", "cancelled",
    )  # fmt: skip
    assert whole["order"]["reason"] == "the order was refused after a review"
    assert WHY["reason"] not in str(whole)


async def test_one_key_decides_once(cast: Cast, suspect: Caller) -> None:
    order = (await suspect.done("/orders", cast.basket()))["order"]
    review = await review_of(cast, order["id"])
    answers = [
        await cast.manager.post(f"/reviews/{review['id']}/approve", WHY, key="once-" + review["id"]) for _ in "12"
    ]
    assert answers[0].body == answers[1].body
    assert [answer.status for answer in answers] == [200, 200]


async def test_a_review_lapses_with_its_order(cast: Cast, suspect: Caller) -> None:
    order = (await suspect.done("/orders", cast.basket()))["order"]
    await suspect.done(f"/orders/{order['id']}/cancel", {"reason": "too slow"})
    review = await review_of(cast, order["id"])
    assert (review["state"], review["decided_by"]) == ("lapsed", None)
    late = await cast.manager.post(f"/reviews/{review['id']}/approve", WHY)
    assert late.refusal == (409, "review.wrong_state")
    assert await status_of(cast, order["id"]) == "cancelled"


async def test_who_may_decide_and_who_sees_it_live(cast: Cast, suspect: Caller) -> None:
    order = (await suspect.done("/orders", cast.basket()))["order"]
    review = await review_of(cast, order["id"])
    for who in (suspect, cast.cook, cast.rider, cast.stranger):
        assert (await who.get("/reviews")).status == 403
        assert (await who.post(f"/reviews/{review['id']}/approve", WHY)).status == 403
    far = cast.as_person(await person(cast.conn, "Far", ("manager", "region:elsewhere")))
    assert await reviews(far) == []
    outside = await far.post(f"/reviews/{review['id']}/approve", WHY)
    assert outside.refusal == (404, "not_found")
    topic = f"operations:{cast.town.region}"
    await cast.manager.done(f"/reviews/{review['id']}/approve", WHY)
    await sequenced(cast.conn)
    events = [row["event"] for row in await cast.conn.fetch(TOLD, review["id"], topic)]
    assert events == ["review.created", "review.approved"]
    for kind, key in ((TopicKind.OPERATIONS, cast.town.region), (TopicKind.KITCHEN, cast.town.kitchen_id)):
        rows = await SNAPSHOT[kind]["review"].rows(cast.conn, key=key)
        assert [row[0] for row in rows if order["id"] in row[0]] == []


async def test_a_review_ends_with_its_time(cast: Cast, admin: Caller) -> None:
    customer = cast.as_person(await person(cast.conn, "Brief", ("customer", "own")))
    block_id = (await block(admin, customer, seconds=2)).body["block"]["id"]
    held = (await customer.done("/orders", cast.basket()))["order"]
    assert (await review_of(cast, held["id"]))["state"] == "waiting"

    async def is_over() -> bool:
        in_force = (await admin.get("/blocks?kind=person&limit=200")).body["blocks"]
        return block_id not in [one["id"] for one in in_force]

    assert await until(is_over)
    free = (await customer.done("/orders", cast.basket()))["order"]
    assert free["id"] not in [one["order_id"] for one in await reviews(cast.manager)]
    assert (await cast.manager.post(f"/orders/{free['id']}/accept")).status == 200
    assert (await cast.manager.post(f"/orders/{held['id']}/accept")).refusal == (409, "order.under_review")


async def test_a_refusing_block_outweighs_a_review(cast: Cast, admin: Caller, suspect: Caller) -> None:
    assert (await block(admin, suspect, effect="refuse")).status == 201
    assert (await suspect.post("/orders", cast.basket())).refusal == (409, "order.blocked")


@pytest.mark.parametrize("effect", ["apart", "nonsense", "REVIEW", ""])
async def test_a_person_alone_cannot_be_kept_apart(cast: Cast, admin: Caller, suspect: Caller, effect: str) -> None:
    assert (await block(admin, suspect, effect=effect)).status == 422
