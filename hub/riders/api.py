"""The HTTP routes of riders, their shifts, and positions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from db import riders
from db.scope import reach_values
from hub.domain.delivery import SHIFT
from hub.domain.errors import Unprocessable
from hub.domain.geo import is_on_globe
from hub.domain.roles import Permission
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints, NoBody
from hub.gateway.moves import carry_out, decode
from hub.gateway.points import MOST_POINTS, Point
from hub.gateway.rate_limit import RateClass
from hub.gateway.scopes import InRegion
from hub.gateway.shapes import Row

ENDPOINTS = Endpoints("riders")


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """Where the rider is, and until when the shift lasts; both optional."""

    lat: float | None = None
    lon: float | None = None
    ends_at: datetime | None = None


class Positions(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of readings."""

    points: Annotated[list[Point], Meta(max_length=MOST_POINTS)]


@ENDPOINTS.route(
    "GET",
    "/riders",
    summary="List riders",
    permission=Permission.RIDER_READ,
    query=InRegion,
    answer={"riders": [Row("rider")]},
)
async def list_riders(call: Call) -> Any:
    """`{riders}`."""
    async with call.house.database.connection() as connection:
        rows = await riders.RIDER_LIST.rows(connection, **reach_values(call.reach), region=call.query.region)
    return {"riders": [seen_by(call.principal, "rider", decode(row[0])) for row in rows]}


def _add_move(move: str, body: type[msgspec.Struct]) -> None:
    @ENDPOINTS.route(
        "POST",
        f"/riders/<rider_id:uuid>/shift/{move}",
        summary=f"{move.capitalize()} a shift",
        permission=Permission.SHIFT_CHANGE,
        body=body,
        answer={"rider": Row("rider")},
    )
    async def make_move(call: Call) -> Any:
        values: dict[str, Any] = {}
        if isinstance(call.body, Start):
            if (call.body.lat is None) != (call.body.lon is None) or (
                call.body.lat is not None
                and call.body.lon is not None
                and not is_on_globe(call.body.lat, call.body.lon)
            ):
                raise Unprocessable(
                    "`lat` and `lon` must name a place on the globe, together", code="body.invalid", path="$.lat"
                )
            values = {"lat": call.body.lat, "lon": call.body.lon, "ends_at": call.body.ends_at}
        row = await carry_out(
            call, riders.MOVES[move], entity="rider", move=move, machine=SHIFT, present=riders.RIDER_ROW, **values
        )
        return {"rider": seen_by(call.principal, "rider", row)}


for name, kind in (("start", Start), ("break", NoBody), ("end", NoBody)):
    _add_move(name, kind)


@ENDPOINTS.route(
    "POST",
    "/positions",
    summary="Send positions",
    permission=Permission.POSITION_SEND,
    body=Positions,
    is_keyed=False,
    rate_class=RateClass.POSITION,
    answer={"accepted": int, "rejected": [{"seq": int, "code": str}]},
)
async def send_positions(call: Call) -> Any:
    """`{accepted, rejected: [{seq, code}]}`."""
    return await call.house.take_positions(call.who.person_id, call.body.points)
