"""Riders over HTTP: shifts, who may see them, and positions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.caller import Caller, Json
from tests.course import Cast
from tests.town import RIDER, person


@pytest.fixture
async def rider(cast: Cast) -> Caller:
    """A rider off shift."""
    rider_id = await person(cast.conn, "Rider", ("rider", "own"))
    await cast.conn.execute(RIDER, rider_id, cast.town.region)
    return cast.as_person(rider_id)


def at(seq: int, lat: float = 12.97, lon: float = 77.59, **more: object) -> Json:
    """One reading of a device."""
    return {"seq": seq, "at": datetime.now(UTC).isoformat(), "lat": lat, "lon": lon, **more}


async def test_a_shift_starts_pauses_and_ends(cast: Cast, rider: Caller) -> None:
    path = f"/riders/{rider.person_id}/shift"
    ends_at = (datetime.now(UTC) + timedelta(hours=4)).isoformat()
    started = (await rider.done(f"{path}/start", {"lat": 12.9, "lon": 77.5, "ends_at": ends_at}))["rider"]
    assert (started["shift"], started["home_lat"]) == ("on", 12.9)
    assert started["shift_started_at"] is not None
    assert (await rider.done(f"{path}/break"))["rider"]["shift"] == "break"
    assert (await rider.done(f"{path}/start"))["rider"]["shift"] == "on"
    assert (await rider.done(f"{path}/end"))["rider"]["shift_started_at"] is None
    kept = await cast.conn.fetch("select ended_at from rider_shift where rider_id = $1", rider.person_id)
    assert len(kept) == 1 and kept[0]["ended_at"] is not None


async def test_a_shift_that_has_not_begun_cannot_end(cast: Cast, rider: Caller) -> None:
    answer = await rider.post(f"/riders/{rider.person_id}/shift/end")
    assert answer.refusal == (409, "rider.wrong_state")
    assert (answer.body["present"], answer.body["legal"]) == ("off", ["start"])


@pytest.mark.parametrize(
    "body",
    [{"lat": 12.9}, {"lat": 91, "lon": 0}, {"lat": 0.0, "lon": 0.0}, {"ends_at": "soon"}, {"lat": "12", "lon": 1}],
)
async def test_a_shift_starts_on_the_globe(cast: Cast, rider: Caller, body: Json) -> None:
    answer = await rider.post(f"/riders/{rider.person_id}/shift/start", body)
    assert answer.refusal == (422, "body.invalid")


@pytest.mark.parametrize("ends_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2030-01-01T00:00:00"])
async def test_the_edges_of_time_break_nothing(cast: Cast, rider: Caller, ends_at: str) -> None:
    answer = await rider.post(f"/riders/{rider.person_id}/shift/start", {"ends_at": ends_at})
    assert answer.status in {200, 422}


async def test_nobody_starts_the_shift_of_somebody_else(cast: Cast, rider: Caller) -> None:
    path = f"/riders/{rider.person_id}/shift/start"
    assert (await cast.rider.post(path)).refusal == (404, "not_found")
    assert (await cast.manager.post(path)).refusal == (403, "forbidden")
    assert (await cast.rider.post(f"/riders/{uuid4()}/shift/start")).refusal == (404, "not_found")


async def test_a_manager_sees_the_riders_of_the_region_and_a_rider_only_itself(cast: Cast, rider: Caller) -> None:
    seen = {one["id"] for one in (await cast.manager.get("/riders")).body["riders"]}
    assert {rider.person_id, cast.rider.person_id} <= seen
    assert [one["id"] for one in (await rider.get("/riders")).body["riders"]] == [rider.person_id]
    assert (await cast.customer.get("/riders")).status == 403


async def test_positions_of_a_rider_on_shift_are_taken(cast: Cast, rider: Caller) -> None:
    await rider.done(f"/riders/{rider.person_id}/shift/start")
    answer = await rider.post("/positions", {"points": [at(1), at(2, accuracy_metres=8.0, heading=90.0, speed=4.0)]})
    assert answer.body == {"accepted": 2, "rejected": []}
    again = await rider.post("/positions", {"points": [at(2), at(3, lat=91.0), at(4, lat=28.6, lon=77.2), at(5)]})
    assert again.body["accepted"] == 1
    codes = {one["seq"]: one["code"] for one in again.body["rejected"]}
    assert codes == {2: "old", 3: "bad_place", 4: "too_fast"}


async def test_positions_off_shift_and_from_the_future_are_not_taken(cast: Cast, rider: Caller) -> None:
    answer = await rider.post("/positions", {"points": [at(1)]})
    assert answer.body["rejected"] == [{"seq": 1, "code": "off_shift"}]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    future = await cast.rider.post("/positions", {"points": [at(10**6) | {"at": tomorrow}]})
    assert future.body["rejected"][0]["code"] == "bad_time"


@pytest.mark.parametrize(
    "points",
    [[{"seq": 1}], [at(1, colour="red")], [at(1)] * 101, "x", [at(1) | {"lat": "12"}], [at(1) | {"at": "now"}], None],
)
async def test_positions_that_cannot_be_are_refused(cast: Cast, points: object) -> None:
    assert (await cast.rider.post("/positions", {"points": points})).refusal == (422, "body.invalid")


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_device_with_a_broken_clock_breaks_nothing(cast: Cast, edge: str) -> None:
    assert (await cast.rider.post("/positions", {"points": [at(1) | {"at": edge}]})).status in {200, 422}


async def test_a_sequence_beyond_all_counting_breaks_nothing(cast: Cast) -> None:
    for seq in (10**18, 10**30, -(10**30)):
        answer = await cast.rider.post(
            "/positions", f'{{"points": [{{"seq": {seq}, "at": "2026-01-01T00:00:00Z", "lat": 1, "lon": 1}}]}}'.encode()
        )
        assert answer.status in {200, 422}


async def test_a_customer_has_no_position(cast: Cast) -> None:
    assert (await cast.customer.post("/positions", {"points": [at(1)]})).status == 403
