"""The HTTP routes of orders and quotes, and of each move that people make; `start` is derived, the clock expires."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import orjson
from msgspec import Meta
from sanic.response import raw

from db import order_moves, orders
from db.scope import reach_values
from hub.domain.errors import Conflict, NotFound
from hub.domain.order import ORDER, OrderStatus
from hub.domain.roles import OWN, Permission, Principal
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints, NoBody
from hub.gateway.moves import Unmet, carry_out, decode
from hub.gateway.paging import Page, filters_of, page_of
from hub.gateway.reasons import Reason, ReasonText, trimmed
from hub.gateway.shapes import NEXT, Row
from hub.orders.service import QUOTE, Note, PlaceBody, QuoteBody, place, price

ENDPOINTS = Endpoints("orders")


class OrderFilter(Page, frozen=True):
    """Which orders."""

    status: OrderStatus | None = None
    kitchen_id: UUID | None = None


class Delay(msgspec.Struct, forbid_unknown_fields=True):
    """How much later, and why."""

    minutes: Annotated[int, Meta(ge=1, le=120)]
    reason: ReasonText


class Amend(msgspec.Struct, forbid_unknown_fields=True):
    """The new note."""

    note: Note


class Rush(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the order goes first."""

    is_rush: bool = True


@ENDPOINTS.route(
    "POST",
    "/quotes",
    summary="Price a basket",
    permission=Permission.ORDER_PLACE,
    body=QuoteBody,
    is_keyed=False,
    answer={"quote": QUOTE},
)
async def quote(call: Call) -> Any:
    """`{quote}` for a basket; binds nobody."""
    return {"quote": (await price(call.house.database, call.body)).as_quote()}


@ENDPOINTS.route(
    "POST",
    "/orders",
    summary="Place an order",
    permission=Permission.ORDER_PLACE,
    body=PlaceBody,
    status=201,
    answer={"order": Row("order"), "lines": [Row("line")], "tracking": {"token": str, "url": str}},
)
async def place_order(call: Call) -> Any:
    """201 `{order, lines, tracking}`."""
    return await place(call, call.body)


@ENDPOINTS.route(
    "GET",
    "/orders",
    summary="List orders",
    permission=Permission.ORDER_READ,
    query=OrderFilter,
    answer={"orders": [Row("order")], "next": NEXT},
)
async def list_orders(call: Call) -> Any:
    """`{orders, next}`, newest first."""
    async with call.house.database.connection() as connection:
        rows = await orders.ORDER_PAGE.rows(connection, **reach_values(call.reach), **filters_of(call))
    page, following = page_of([decode(row[0]) for row in rows], call.query.limit)
    return {"orders": [seen_by(call.principal, "order", row) for row in page], "next": following}


@ENDPOINTS.route(
    "GET",
    "/orders/<order_id:uuid>",
    summary="Read an order",
    permission=Permission.ORDER_READ,
    answer={"order": Row("order"), "lines": [Row("line")], "delivery": Row("delivery"), "payment": Row("payment")},
)
async def read_order(call: Call) -> Any:
    """`{order, lines, delivery, payment}` with its version as ETag."""
    async with call.house.database.connection() as connection:
        row = await orders.ORDER_WHOLE.row(connection, **call.ids, **reach_values(call.reach))
    if row is None:
        raise NotFound("there is no such order, or not for you")
    order = decode(row["order"])
    body = {
        "order": seen_by(call.principal, "order", order),
        "lines": [_seen_of(call.principal, "line", line, order) for line in orjson.loads(row["lines"])],
        "delivery": _seen_of(call.principal, "delivery", decode(row["delivery"]), order),
        "payment": _seen_of(call.principal, "payment", decode(row["payment"]), order),
    }
    return raw(orjson.dumps(body), content_type="application/json", headers={"ETag": f'"{order["version"]}"'})


def _seen_of(principal: Principal | None, entity: str, row: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """A part of an order is seen by whoever sees the order, from the same side."""
    return seen_by(principal, entity, {**order, **row})


@ENDPOINTS.route(
    "GET",
    "/orders/<order_id:uuid>/timeline",
    summary="Who did what, when",
    permission=Permission.ORDER_READ,
    answer={"events": [{"at": datetime, "event": str, "reason": str | None, "actor?": str}]},
)
async def read_timeline(call: Call) -> Any:
    """`{events: [{at, event, actor, reason}]}`, oldest first."""
    async with call.house.database.connection() as connection:
        order = await orders.ORDER_ROW.value(connection, **call.ids, **reach_values(call.reach))
        if order is None:
            raise NotFound("there is no such order, or not for you")
        rows = await orders.TIMELINE.rows(connection, **call.ids)
    is_staff = any(grant.scope != OWN for grant in call.who.grants)
    return {
        "events": [
            {"at": row["at"].isoformat(), "event": row["event"], "reason": row["reason"]}
            | ({"actor": row["actor"]} if is_staff else {})
            for row in rows
        ]
    }


BODIES: dict[str, type[msgspec.Struct]] = {
    "accept": NoBody, "ready": NoBody, "reject": Reason, "recall": Reason, "cancel": Reason, "delay": Delay,
    "amend": Amend, "rush": Rush,
}  # fmt: skip
# Why a move was refused that the state alone would allow.
UNMET: dict[str, Unmet] = {
    "ready": lambda _: Conflict("a dish of this order is not done yet", code="order.unfinished"),
    "cancel": lambda _: Conflict("the kitchen has taken this order: ask it to cancel", code="order.too_late"),
}


def _values(body: msgspec.Struct) -> dict[str, Any]:
    """What the statement of a move takes: the fields of its body, the reason trimmed."""
    values = msgspec.structs.asdict(body)
    return values | ({"reason": trimmed(values["reason"])} if "reason" in values else {})


def _add_move(move: str) -> None:
    permission = Permission(f"order.{move}")

    @ENDPOINTS.route(
        "POST",
        f"/orders/<order_id:uuid>/{move}",
        summary=f"{move.capitalize()} an order",
        permission=permission,
        body=BODIES[move],
        answer={"order": Row("order")},
    )
    async def make_move(call: Call) -> Any:
        is_customer_only = (
            move == "cancel"
            and call.reach.owner_id is not None
            and not (call.reach.everywhere or call.reach.regions or call.reach.kitchen_ids)
        )
        statement = order_moves.CANCEL_OWN if is_customer_only else order_moves.MOVES[move]
        row = await carry_out(
            call,
            statement,
            entity="order",
            move=move,
            machine=ORDER,
            present=orders.ORDER_ROW,
            unmet=UNMET.get(move),
            **_values(call.body),
        )
        return {"order": seen_by(call.principal, "order", row)}


for name in BODIES:
    _add_move(name)
