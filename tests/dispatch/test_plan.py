"""The plan: nearest free rider, soonest ready first, nobody twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from hub.dispatch.plan import Free, Waiting, nearest_free
from hub.domain.geo import distance_metres

HORIZON = 600.0
degrees = some.floats(-0.2, 0.2)
riders = some.lists(
    some.builds(Free, rider_id=some.integers(0, 9).map(str), lat=degrees, lon=degrees), unique_by=lambda r: r.rider_id
)
waits = some.lists(
    some.builds(
        Waiting, delivery_id=some.integers(0, 99).map(str), pickup_lat=degrees, pickup_lon=degrees,
        ready_in_seconds=some.floats(-100, 1000), taboo=some.frozensets(some.integers(0, 9).map(str), max_size=3),
    ),
    unique_by=lambda w: w.delivery_id,
)  # fmt: skip


def waiting(name: str, lat: float = 0.0, *, ready_in: float = 0.0, taboo: tuple[str, ...] = ()) -> Waiting:
    return Waiting(delivery_id=name, pickup_lat=lat, pickup_lon=1.0, ready_in_seconds=ready_in, taboo=frozenset(taboo))


def free(name: str, lat: float) -> Free:
    return Free(rider_id=name, lat=lat, lon=1.0)


def test_the_nearest_rider_is_asked() -> None:
    [choice] = nearest_free([waiting("d")], [free("far", 0.02), free("near", 0.01)], horizon_seconds=HORIZON)
    assert (choice.rider_id, round(choice.approach_metres)) == ("near", 1112)


def test_the_first_in_the_row_chooses_first() -> None:
    choices = nearest_free(
        [waiting("a"), waiting("b")], [free("near", 0.01), free("far", 0.02)], horizon_seconds=HORIZON
    )
    assert [(one.delivery_id, one.rider_id) for one in choices] == [("a", "near"), ("b", "far")]


def test_who_has_declined_is_not_asked_again() -> None:
    choices = nearest_free(
        [waiting("d", taboo=("near",))], [free("near", 0.01), free("far", 0.02)], horizon_seconds=HORIZON
    )
    assert [one.rider_id for one in choices] == ["far"]


def test_food_that_is_far_from_ready_waits() -> None:
    assert nearest_free([waiting("d", ready_in=HORIZON + 1)], [free("r", 0.0)], horizon_seconds=HORIZON) == []


def test_equals_are_decided_by_their_names() -> None:
    [choice] = nearest_free([waiting("d")], [free("b", 0.01), free("a", 0.01)], horizon_seconds=HORIZON)
    assert choice.rider_id == "a"


@given(waits, riders)
def test_no_plan_breaks_its_rules(waits: list[Waiting], riders: list[Free]) -> None:
    choices = nearest_free(waits, riders, horizon_seconds=HORIZON)
    by_id = {one.delivery_id: one for one in waits}
    assert len({one.rider_id for one in choices}) == len({one.delivery_id for one in choices}) == len(choices)
    for one in choices:
        delivery = by_id[one.delivery_id]
        assert delivery.ready_in_seconds <= HORIZON and one.rider_id not in delivery.taboo
        left = {rider.rider_id for rider in riders} - {other.rider_id for other in choices} - delivery.taboo
        places = {rider.rider_id: (rider.lat, rider.lon) for rider in riders}
        own = distance_metres(delivery.pickup_lat, delivery.pickup_lon, *places[one.rider_id])
        assert all(own <= distance_metres(delivery.pickup_lat, delivery.pickup_lon, *places[other]) for other in left)
    idle = {rider.rider_id for rider in riders} - {one.rider_id for one in choices}
    for delivery in waits:
        if delivery.ready_in_seconds <= HORIZON and delivery.delivery_id not in {one.delivery_id for one in choices}:
            assert idle <= delivery.taboo
