"""Offers under races: one rider wins a delivery, and a bag never holds more than it can."""

from __future__ import annotations

import asyncio

from db.offer_moves import OFFER
from tests.caller import Caller
from tests.course import DISPATCHING, Cast, accepted, delivery_of, offered
from tests.town import RIDER, person


async def waiting(cast: Cast) -> str:
    """A delivery that waits for a rider."""
    return await delivery_of(cast, (await accepted(cast))["order"]["id"])


async def new_rider(cast: Cast, *, capacity: int = 1) -> Caller:
    """A rider on shift whose bag holds so many orders."""
    rider_id = await person(cast.conn, "Rider", ("rider", "own"))
    await cast.conn.execute(RIDER, rider_id, cast.town.region)
    await cast.conn.execute("update rider set shift = 'on', capacity_orders = $2 where id = $1", rider_id, capacity)
    return cast.as_person(rider_id)


async def lived(cast: Cast, offer_id: str) -> str:
    return str(await cast.conn.fetchval("select state from offer where id = $1", offer_id))


async def test_an_accepted_offer_assigns_the_rider(cast: Cast) -> None:
    delivery_id, rider = await waiting(cast), await new_rider(cast)
    offer_id = await offered(cast, delivery_id, rider.person_id or "")
    assert (await rider.done(f"/offers/{offer_id}/accept"))["offer"]["state"] == "accepted"
    delivery = (await rider.get(f"/deliveries/{delivery_id}")).body["delivery"]
    assert (delivery["status"], delivery["rider_id"]) == ("assigned", rider.person_id)


async def test_two_riders_race_and_one_wins(cast: Cast) -> None:
    for _ in range(5):
        delivery_id = await waiting(cast)
        riders = [await new_rider(cast), await new_rider(cast)]
        offers = [await offered(cast, delivery_id, riders[0].person_id or "")]
        # A second live offer of the same delivery, as two dispatchers that raced would leave it.
        await cast.conn.execute(
            """insert into offer (delivery_id, rider_id, order_id, order_code, region, kitchen_id, state, fee_minor,
                currency, pickup_name, pickup_lat, pickup_lon, drop_lat, drop_lon, distance_metres, approach_metres,
                ready_expected_at, expires_at)
            select delivery_id, $2, order_id, order_code, region, kitchen_id, 'live', fee_minor, currency, pickup_name,
                pickup_lat, pickup_lon, drop_lat, drop_lon, distance_metres, approach_metres, ready_expected_at,
                expires_at from offer where id = $1""",
            offers[0],
            riders[1].person_id,
        )
        offers.append(
            await cast.conn.fetchval(
                "select id::text from offer where delivery_id = $1 and rider_id = $2", delivery_id, riders[1].person_id
            )
        )
        answers = await asyncio.gather(
            *(rider.post(f"/offers/{offer_id}/accept") for rider, offer_id in zip(riders, offers, strict=True))
        )
        assert sorted(answer.status for answer in answers) == [200, 409]
        assert sorted([await lived(cast, offer_id) for offer_id in offers]) == ["accepted", "withdrawn"]
        active = await cast.conn.fetch(
            "select rider_id from assignment where delivery_id = $1 and ended_at is null", delivery_id
        )
        assert len(active) == 1


async def test_a_bag_for_one_takes_one_of_two_offers_accepted_at_once(cast: Cast) -> None:
    for _ in range(5):
        rider = await new_rider(cast, capacity=1)
        ids = [await offered(cast, await waiting(cast), rider.person_id or "") for _ in range(2)]
        answers = await asyncio.gather(*(rider.post(f"/offers/{offer_id}/accept") for offer_id in ids))
        assert sorted(answer.status for answer in answers) == [200, 409]
        refused = next(answer for answer in answers if answer.status == 409)
        assert refused.code in {"rider.full", "offer.not_open"}
        carried = await cast.conn.fetchval(
            "select count(*) from assignment where rider_id = $1 and ended_at is null", rider.person_id
        )
        assert carried == 1


async def test_one_offer_accepted_twenty_times_is_accepted_once(cast: Cast) -> None:
    rider = await new_rider(cast)
    offer_id = await offered(cast, await waiting(cast), rider.person_id or "")
    answers = await asyncio.gather(*(rider.post(f"/offers/{offer_id}/accept") for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 19


async def test_a_declined_delivery_waits_again(cast: Cast) -> None:
    delivery_id, rider = await waiting(cast), await new_rider(cast)
    offer_id = await offered(cast, delivery_id, rider.person_id or "")
    await rider.done(f"/offers/{offer_id}/decline", {"reason": "flat tyre"})
    row = await cast.conn.fetchrow("select status, rider_id from delivery where id = $1", delivery_id)
    assert (row["status"], row["rider_id"]) == ("waiting", None)
    assert (await rider.post(f"/offers/{offer_id}/accept")).refusal == (409, "offer.wrong_state")


async def test_an_offer_that_has_run_out_is_not_accepted(cast: Cast) -> None:
    rider = await new_rider(cast)
    offer_id = await offered(cast, await waiting(cast), rider.person_id or "", seconds=0.0)
    assert (await rider.post(f"/offers/{offer_id}/accept")).refusal == (409, "offer.not_open")


async def test_an_offer_to_somebody_else_is_as_if_it_were_not(cast: Cast) -> None:
    rider, other = await new_rider(cast), await new_rider(cast)
    offer_id = await offered(cast, await waiting(cast), rider.person_id or "")
    for move in ("accept", "decline"):
        assert (await other.post(f"/offers/{offer_id}/{move}")).refusal == (404, "not_found")
        assert (await cast.customer.post(f"/offers/{offer_id}/{move}")).refusal == (403, "forbidden")


async def test_an_offer_goes_with_the_order_that_is_cancelled(cast: Cast) -> None:
    made = await accepted(cast)
    rider = await new_rider(cast)
    offer_id = await offered(cast, await delivery_of(cast, made["order"]["id"]), rider.person_id or "")
    await cast.manager.done(f"/orders/{made['order']['id']}/cancel", {"reason": "flood"})
    answer = await rider.post(f"/offers/{offer_id}/accept")
    assert (answer.refusal, answer.body["present"]) == ((409, "offer.wrong_state"), "withdrawn")


async def test_no_offer_is_made_to_a_rider_off_shift_or_with_a_full_bag(cast: Cast) -> None:
    off, full = await new_rider(cast), await new_rider(cast, capacity=1)
    await off.done(f"/riders/{off.person_id}/shift/end")
    carried = await waiting(cast)
    await cast.manager.done(f"/deliveries/{carried}/assign", {"rider_id": full.person_id})
    delivery_id = await waiting(cast)
    for rider in (off, full):
        made = await OFFER.value(
            cast.conn, delivery_id=delivery_id, rider_id=rider.person_id, approach_metres=1, seconds=9.0,
            context=DISPATCHING,
        )  # fmt: skip
        assert made is None
