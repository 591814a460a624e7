"""The HTTP routes of deliveries and offers: every move of the table that a person makes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from db import deliveries, delivery_moves
from db.scope import reach_values
from hub.domain.delivery import DELIVERY, OFFER
from hub.domain.errors import NotFound, Unprocessable
from hub.domain.roles import Permission
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints, NoBody
from hub.gateway.moves import carry_out, decode
from hub.gateway.paging import page_of, page_query

ENDPOINTS = Endpoints("deliveries")
LONGEST_REASON = 300


class Assign(msgspec.Struct, forbid_unknown_fields=True):
    """Who shall carry it."""

    rider_id: str


class PickUp(msgspec.Struct, forbid_unknown_fields=True):
    """The short code that the kitchen reads out: the right bag for the right rider."""

    code: str


class Deliver(msgspec.Struct, forbid_unknown_fields=True):
    """The customer's PIN and the exact cash, or the reason why not."""

    pin: str | None = None
    cash_minor: int | None = None
    reason: str | None = None


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """A move that must say why."""

    reason: str


class Decline(msgspec.Struct, forbid_unknown_fields=True):
    """Why not, if the rider wants to say."""

    reason: str = ""


@ENDPOINTS.route("GET", "/deliveries", summary="List deliveries", permission=Permission.DELIVERY_READ)
async def list_deliveries(call: Call) -> Any:
    """`{deliveries, next}`, newest first."""
    query = page_query(call, texts=("status",))
    async with call.house.database.connection() as connection:
        rows = await deliveries.DELIVERY_PAGE.rows(
            connection, **reach_values(call.reach), **query.filters, after=query.after
        )
    page, following = page_of([decode(row[0]) for row in rows], query.limit)
    return {"deliveries": [seen_by(call.principal, "delivery", row) for row in page], "next": following}


@ENDPOINTS.route(
    "GET", "/deliveries/<delivery_id:uuid>", summary="Read a delivery", permission=Permission.DELIVERY_READ
)
async def read_delivery(call: Call) -> Any:
    """`{delivery}`."""
    async with call.house.database.connection() as connection:
        text = await deliveries.DELIVERY_ROW.value(connection, **call.ids, **reach_values(call.reach))
    if text is None:
        raise NotFound("there is no such delivery, or not for you")
    return {"delivery": seen_by(call.principal, "delivery", decode(text))}


def _checked(reason: str | None, *, is_required: bool) -> str | None:
    reason = (reason or "").strip()
    if len(reason) > LONGEST_REASON or (is_required and not reason):
        raise Unprocessable(f"a reason has 1 to {LONGEST_REASON} characters", code="body.invalid", path="$.reason")
    return reason or None


def _values(move: str, body: Any) -> dict[str, Any]:
    match move:
        case "assign":
            return {"rider_id": str(_rider_id(body.rider_id))}
        case "pick-up":
            return {"code": body.code.strip().upper()}
        case "deliver":
            if body.cash_minor is not None and not 0 <= body.cash_minor <= 10**9:
                raise Unprocessable("`cash_minor` is out of range", code="body.invalid", path="$.cash_minor")
            return {"pin": body.pin, "cash_minor": body.cash_minor, "reason": _checked(body.reason, is_required=False)}
        case "unassign" | "fail":
            return {"reason": _checked(body.reason, is_required=True)}
        case _:
            return {}


def _rider_id(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise Unprocessable("this is not an id", code="body.invalid", path="$.rider_id") from error


BODIES: dict[str, type[msgspec.Struct]] = {
    "assign": Assign, "unassign": Reason, "arrive": NoBody, "pick-up": PickUp, "at-door": NoBody, "deliver": Deliver, "fail": Reason,
    "return": NoBody,
}  # fmt: skip


def _add_move(move: str) -> None:
    permission = Permission(f"delivery.{move}")

    @ENDPOINTS.route(
        "POST",
        f"/deliveries/<delivery_id:uuid>/{move}",
        summary=f"{move.capitalize()} a delivery",
        permission=permission,
        body=BODIES[move],
    )
    async def make_move(call: Call) -> Any:
        values = _values(move, call.body)
        row = await carry_out(
            call, delivery_moves.MOVES[move], entity="delivery", move=move, machine=DELIVERY, present=deliveries.DELIVERY_ROW, **values,
        )  # fmt: skip
        return {"delivery": seen_by(call.principal, "delivery", row)}


for name in BODIES:
    _add_move(name)


async def _answer_offer(call: Call, move: str, **values: Any) -> dict[str, Any]:
    target = {"offer_id": call.ids["offer_id"], "rider_id": call.who.person_id}
    row = await carry_out(
        call, delivery_moves.OFFER_MOVES[move], entity="offer", move=move, machine=OFFER, present=deliveries.OFFER_ROW,
        target=target, scope={}, takes_version=False, **values,
    )  # fmt: skip
    return {"offer": seen_by(call.principal, "offer", row)}


@ENDPOINTS.route(
    "POST", "/offers/<offer_id:uuid>/accept", summary="Accept an offer", permission=Permission.OFFER_ACCEPT
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
)
async def decline_offer(call: Call) -> Any:
    """`{offer}`; the next rider is asked."""
    return await _answer_offer(call, "decline", reason=_checked(call.body.reason, is_required=False))
