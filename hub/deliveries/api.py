"""The HTTP routes of deliveries and offers: every move of the table that a person makes."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
import orjson
from msgspec import Meta
from sanic.response import raw

from db import deliveries, delivery_moves, offer_moves
from db.scope import reach_values
from hub.domain.delivery import DELIVERY, OFFER, DeliveryStatus
from hub.domain.errors import Conflict, NotFound, Refusal, Unprocessable
from hub.domain.roles import Permission
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints, NoBody
from hub.gateway.moves import carry_out, decode
from hub.gateway.paging import Page, filters_of, page_of
from hub.gateway.reasons import Reason, Remark, trimmed
from hub.gateway.shapes import NEXT, Row

ENDPOINTS = Endpoints("deliveries")


class DeliveryFilter(Page, frozen=True):
    """Which deliveries."""

    status: DeliveryStatus | None = None


Code = Annotated[str, Meta(min_length=1, max_length=16)]


class Assign(msgspec.Struct, forbid_unknown_fields=True):
    """Who shall carry it."""

    rider_id: UUID


class PickUp(msgspec.Struct, forbid_unknown_fields=True):
    """The short code that the kitchen reads out: the right bag for the right rider."""

    code: Code


class Deliver(msgspec.Struct, forbid_unknown_fields=True):
    """The customer's PIN and the exact cash, or the reason why not."""

    pin: Code | None = None
    cash_minor: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    reason: Remark | None = None


class Decline(msgspec.Struct, forbid_unknown_fields=True):
    """Why not, if the rider wants to say."""

    reason: Remark = ""


@ENDPOINTS.route(
    "GET",
    "/deliveries",
    summary="List deliveries",
    permission=Permission.DELIVERY_READ,
    query=DeliveryFilter,
    answer={"deliveries": [Row("delivery")], "next": NEXT},
)
async def list_deliveries(call: Call) -> Any:
    """`{deliveries, next}`, newest first."""
    async with call.house.database.connection() as connection:
        rows = await deliveries.DELIVERY_PAGE.rows(connection, **reach_values(call.reach), **filters_of(call))
    page, following = page_of([decode(row[0]) for row in rows], call.query.limit)
    return {"deliveries": [seen_by(call.principal, "delivery", row) for row in page], "next": following}


@ENDPOINTS.route(
    "GET",
    "/deliveries/<delivery_id:uuid>",
    summary="Read a delivery",
    permission=Permission.DELIVERY_READ,
    answer={"delivery": Row("delivery")},
)
async def read_delivery(call: Call) -> Any:
    """`{delivery}` with its version as ETag."""
    async with call.house.database.connection() as connection:
        text = await deliveries.DELIVERY_ROW.value(connection, **call.ids, **reach_values(call.reach))
    if text is None:
        raise NotFound("there is no such delivery, or not for you")
    row = decode(text)
    body = orjson.dumps({"delivery": seen_by(call.principal, "delivery", row)})
    return raw(body, content_type="application/json", headers={"ETag": f'"{row["version"]}"'})


BODIES: dict[str, type[msgspec.Struct]] = {
    "assign": Assign, "unassign": Reason, "arrive": NoBody, "pick-up": PickUp, "at-door": NoBody, "deliver": Deliver,
    "fail": Reason, "return": NoBody,
}  # fmt: skip


def _values(body: msgspec.Struct) -> dict[str, Any]:
    """What the statement of a move takes."""
    match body:
        case Assign():
            return {"rider_id": str(body.rider_id)}
        case PickUp():
            return {"code": body.code.strip().upper()}
        case Deliver():
            return {"pin": body.pin, "cash_minor": body.cash_minor, "reason": trimmed(body.reason)}
        case Reason():
            return {"reason": trimmed(body.reason)}
        case _:
            return {}


def _unmet(body: msgspec.Struct, row: dict[str, Any]) -> Refusal:
    """Why a move was refused that the state alone would allow."""
    match body:
        case PickUp() if body.code.strip().upper() != row["order_code"]:
            return Unprocessable("this is not the code of this order", code="delivery.wrong_code", path="$.code")
        case PickUp():
            return Conflict("the kitchen has not finished this order", code="order.unfinished")
        case Deliver() if (body.cash_minor or 0) != row["cash_due_minor"]:
            return Unprocessable(
                f"{row['cash_due_minor']} are due: collect them, or give a reason", code="delivery.cash_differs",
                path="$.cash_minor",
            )  # fmt: skip
        case Deliver():
            return Unprocessable(
                "this is not the customer's PIN: ask again, or give a reason", code="delivery.wrong_pin", path="$.pin"
            )
        case _:
            return Conflict(
                "no free rider on shift has this id, or this order cannot be carried", code="rider.not_free"
            )


def _add_move(move: str) -> None:
    permission = Permission(f"delivery.{move}")

    @ENDPOINTS.route(
        "POST",
        f"/deliveries/<delivery_id:uuid>/{move}",
        summary=f"{move.capitalize()} a delivery",
        permission=permission,
        body=BODIES[move],
        answer={"delivery": Row("delivery")},
    )
    async def make_move(call: Call) -> Any:
        row = await carry_out(
            call,
            delivery_moves.MOVES[move],
            entity="delivery",
            move=move,
            machine=DELIVERY,
            present=deliveries.DELIVERY_ROW,
            unmet=partial(_unmet, call.body),
            **_values(call.body),
        )
        return {"delivery": seen_by(call.principal, "delivery", row)}


for name in BODIES:
    _add_move(name)


def _not_open(_: dict[str, Any]) -> Conflict:
    return Conflict("this offer has run out, or you are off shift or have no room", code="offer.not_open")


async def _answer_offer(call: Call, move: str, **values: Any) -> dict[str, Any]:
    target = {"offer_id": call.ids["offer_id"], "rider_id": call.who.person_id}
    row = await carry_out(
        call, offer_moves.MOVES[move], entity="offer", move=move, machine=OFFER, present=deliveries.OFFER_ROW,
        target=target, scope={}, unmet=_not_open, **values,
    )  # fmt: skip
    return {"offer": seen_by(call.principal, "offer", row)}


@ENDPOINTS.route(
    "POST",
    "/offers/<offer_id:uuid>/accept",
    summary="Accept an offer",
    permission=Permission.OFFER_ACCEPT,
    answer={"offer": Row("offer")},
)
async def accept_offer(call: Call) -> Any:
    """`{offer}`; 409 when it ended or another rider was faster."""
    return await _answer_offer(call, "accept")


@ENDPOINTS.route(
    "POST",
    "/offers/<offer_id:uuid>/decline",
    summary="Decline an offer",
    permission=Permission.OFFER_DECLINE,
    body=Decline,
    answer={"offer": Row("offer")},
)
async def decline_offer(call: Call) -> Any:
    """`{offer}`; the next rider is asked."""
    return await _answer_offer(call, "decline", reason=trimmed(call.body.reason))
