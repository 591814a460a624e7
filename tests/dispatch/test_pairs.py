"""A rider and a customer who are kept apart: no offer between them, whoever makes it, until the block ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.dispatch.loop import offer, read_waiting
from hub.dispatch.plan import Choice, Free, nearest_free
from tests.caller import Answer, Caller
from tests.course import Cast, delivery_of, offered, ready
from tests.town import person, until

WHY = {"reason": "a quarrel at the door"}


@pytest.fixture(scope="module")
async def admin(cast: Cast) -> Caller:
    """An administrator of everything."""
    return cast.as_person(await person(cast.conn, "Admin", ("administrator", "*")))


async def keep_apart(cast: Cast, admin: Caller, *, seconds: float = 3600) -> str:
    """The block between the first rider and the first customer."""
    answer = await ask_apart(admin, f"{cast.rider.person_id},{cast.customer.person_id}", seconds)
    assert answer.status == 201, answer.body
    assert answer.body["block"]["subject"] == f"{cast.rider.person_id} {cast.customer.person_id}"
    return str(answer.body["block"]["id"])


async def ask_apart(admin: Caller, value: str, seconds: float = 3600, effect: str = "apart") -> Answer:
    end = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    return await admin.post("/blocks", {"kind": "pair", "value": value, "effect": effect, "expires_at": end} | WHY)


async def chosen(cast: Cast, delivery_id: str) -> str | None:
    """Whom the dispatcher would ask; the first rider is nearest."""
    near = (cast.rider.person_id, cast.other_rider.person_id)
    free = [Free(rider_id=str(one), lat=12.97 + at / 10, lon=77.59) for at, one in enumerate(near)]
    waiting = [one for one in await read_waiting(cast.conn, cast.town.region) if one.delivery_id == delivery_id]
    [choice] = nearest_free(waiting, free, horizon_seconds=1e6) or [None]
    return choice.rider_id if choice else None


async def test_the_dispatcher_passes_a_rider_who_is_kept_apart(cast: Cast, admin: Caller) -> None:
    delivery_id = await delivery_of(cast, (await ready(cast))["order"]["id"])
    assert await chosen(cast, delivery_id) == cast.rider.person_id
    block_id = await keep_apart(cast, admin)
    assert await chosen(cast, delivery_id) == cast.other_rider.person_id
    stale = Choice(delivery_id=delivery_id, rider_id=str(cast.rider.person_id), approach_metres=1.0)
    assert await offer(cast.conn, stale, seconds=60) is False
    await admin.done(f"/blocks/{block_id}/lift", WHY)
    assert await chosen(cast, delivery_id) == cast.rider.person_id


async def test_an_offer_made_before_cannot_be_accepted(cast: Cast, admin: Caller) -> None:
    delivery_id = await delivery_of(cast, (await ready(cast))["order"]["id"])
    offer_id = await offered(cast, delivery_id, str(cast.rider.person_id))
    block_id = await keep_apart(cast, admin)
    assert (await cast.rider.post(f"/offers/{offer_id}/accept")).refusal == (409, "offer.not_open")
    await admin.done(f"/blocks/{block_id}/lift", WHY)
    assert (await cast.rider.post(f"/offers/{offer_id}/accept")).status == 200
    await cast.manager.done(f"/deliveries/{delivery_id}/unassign", WHY)


async def test_the_block_of_a_pair_ends_with_its_time(cast: Cast, admin: Caller) -> None:
    delivery_id = await delivery_of(cast, (await ready(cast))["order"]["id"])
    await keep_apart(cast, admin, seconds=2)

    async def is_asked_again() -> bool:
        return await chosen(cast, delivery_id) == cast.rider.person_id

    assert await until(is_asked_again)


async def test_a_manager_may_assign_all_the_same(cast: Cast, admin: Caller) -> None:
    delivery_id = await delivery_of(cast, (await ready(cast))["order"]["id"])
    block_id = await keep_apart(cast, admin)
    await cast.manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": cast.rider.person_id})
    await admin.done(f"/blocks/{block_id}/lift", WHY)


async def test_a_merged_customer_stays_apart(cast: Cast, admin: Caller) -> None:
    old, new = [await person(cast.conn, name, ("customer", "own")) for name in ("Old", "New")]
    assert (await ask_apart(admin, f"{cast.rider.person_id},{old}")).status == 201
    await admin.done(f"/users/{old}/merge", {"into_id": new} | WHY)
    row = await cast.conn.fetchval("select is_kept_apart($1, $2)", cast.rider.person_id, new)
    assert row is True


@pytest.mark.parametrize("value", ["", "x", "01a212fe-7b50-781e-9835-ff4eac515205", "a,b,c", "a,b"])
async def test_what_is_no_pair_is_refused(admin: Caller, value: str) -> None:
    assert (await ask_apart(admin, value)).status == 422


async def test_a_pair_has_no_other_effect(cast: Cast, admin: Caller) -> None:
    value = f"{cast.rider.person_id},{cast.customer.person_id}"
    assert [(await ask_apart(admin, value, effect=effect)).status for effect in ("refuse", "prepaid", "review")] == [
        422, 422, 422,
    ]  # fmt: skip
