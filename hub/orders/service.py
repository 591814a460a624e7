"""The rules of pricing and placing: the server prices everything, promises from the queue, the cooking and the way.

A quote binds nobody; placing prices anew, and the statement that places refuses when the menu has changed since.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import msgspec
import orjson
from msgspec import Meta

from db import placing
from db.connection import Database
from hub.domain.errors import Conflict, NotFound, Refusal, Unprocessable
from hub.domain.geo import distance_metres, is_on_globe
from hub.domain.money import line_total
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call
from hub.gateway.moves import attempt, decode, keyed, said, stored_answer

CODE_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that look alike
CODE_LENGTH = 4
CODE_ATTEMPTS = 5
FARTHEST_METRES = 15_000
FEE_MINOR = 190
FEE_MINOR_PER_KILOMETRE = 45
RIDE_METRES_PER_MINUTE = 320  # the speed of the recorded courier days
HANDOVER_MINUTES = 8  # four at the counter, four at the door
ORDERS_AT_ONCE = 6  # cooked side by side before a queue forms
QUEUE_SECONDS_PER_ORDER = 45
TRACKING_BYTES = 24
CODE_TAKEN = "orders_code"
Note = Annotated[str, Meta(max_length=500)]


class Drop(msgspec.Struct, forbid_unknown_fields=True):
    """Where the food goes, in degrees."""

    lat: float
    lon: float


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a basket."""

    item_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=99)] = 1
    options: Annotated[str, Meta(max_length=200)] = ""


Basket = Annotated[list[Wanted], Meta(min_length=1, max_length=50)]


class QuoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a quote is asked for."""

    kitchen_id: UUID
    items: Basket
    drop: Drop


class PlaceBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is ordered. Prices never come from the client."""

    kitchen_id: UUID
    items: Basket
    drop: Drop
    note: Note = ""
    payment_method: Literal["cash"] = "cash"


# What a quote tells, as `Priced.as_quote` makes it.
QUOTE = {
    "items": [{"item_id": UUID, "name": str, "quantity": int, "price_minor": int, "total_minor": int}],
    "subtotal_minor": int,
    "delivery_fee_minor": int,
    "total_minor": int,
    "currency": str,
    "distance_metres": int,
    "ready_expected_at": datetime,
    "promised_at": datetime,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A basket with the server's prices; money in minor units, times by the product clock. `order_id` is a fresh id."""

    kitchen: dict[str, Any]
    lines: list[dict[str, Any]]
    subtotal_minor: int
    delivery_fee_minor: int
    distance_metres: int
    ready_seconds: float
    promise_seconds: float
    now: datetime
    order_id: str

    def as_quote(self) -> dict[str, Any]:
        """The answer to a quote."""
        return {
            "items": self.lines,
            "subtotal_minor": self.subtotal_minor,
            "delivery_fee_minor": self.delivery_fee_minor,
            "total_minor": self.subtotal_minor + self.delivery_fee_minor,
            "currency": self.kitchen["currency"],
            "distance_metres": self.distance_metres,
            "ready_expected_at": (self.now + timedelta(seconds=self.ready_seconds)).isoformat(),
            "promised_at": (self.now + timedelta(seconds=self.promise_seconds)).isoformat(),
        }


async def price(database: Database, body: QuoteBody | PlaceBody) -> Priced:
    """Price a basket, in one statement. Raises `NotFound`, or `Unprocessable` or `Conflict` for what is in it."""
    _check_basket(body)
    ids = [str(wanted.item_id) for wanted in body.items]
    async with database.connection() as connection:
        row = await placing.BASKET.row(connection, kitchen_id=str(body.kitchen_id), item_ids=ids)
    if row is None:
        raise NotFound("there is no such kitchen")
    kitchen = decode(row["kitchen"])
    items = {item["id"]: item for item in orjson.loads(row["items"])}
    lines = [_priced_line(wanted, items.get(str(wanted.item_id))) for wanted in body.items]
    distance = distance_metres(kitchen["lat"], kitchen["lon"], body.drop.lat, body.drop.lon)
    if distance > FARTHEST_METRES:
        raise Unprocessable(
            f"this address is {distance / 1000:.1f} km away; the kitchen delivers within {FARTHEST_METRES // 1000} km",
            code="order.outside_area",
            path="$.drop",
        )
    longest = max(items[str(wanted.item_id)]["prep_seconds"] for wanted in body.items)
    ready_seconds = longest + max(0, row["queue"] - ORDERS_AT_ONCE) * QUEUE_SECONDS_PER_ORDER
    return Priced(
        kitchen=kitchen,
        lines=lines,
        subtotal_minor=sum(line["total_minor"] for line in lines),
        delivery_fee_minor=FEE_MINOR + FEE_MINOR_PER_KILOMETRE * int(distance // 1000),
        distance_metres=round(distance),
        ready_seconds=ready_seconds,
        promise_seconds=ready_seconds + 60 * (HANDOVER_MINUTES + distance / RIDE_METRES_PER_MINUTE),
        now=row["now"],
        order_id=row["order_id"],
    )


def _check_basket(body: QuoteBody | PlaceBody) -> None:
    if len({(wanted.item_id, wanted.options) for wanted in body.items}) != len(body.items):
        raise Unprocessable("the same dish stands twice: raise its quantity", code="body.invalid", path="$.items")
    if not is_on_globe(body.drop.lat, body.drop.lon):
        raise Unprocessable("`drop` is not a place on the globe", code="body.invalid", path="$.drop")


def _priced_line(wanted: Wanted, item: dict[str, Any] | None) -> dict[str, Any]:
    if item is None:
        raise Unprocessable("this kitchen has no such dish", code="order.unknown_item", item_id=str(wanted.item_id))
    if not item["is_available"]:
        raise Conflict(f"{item['name']} is sold out", code="order.item_unavailable", item_id=str(wanted.item_id))
    return {
        "item_id": str(wanted.item_id),
        "name": item["name"],
        "quantity": wanted.quantity,
        "price_minor": item["price_minor"],
        "total_minor": line_total(item["price_minor"], wanted.quantity),
    }


async def place(call: Call, body: PlaceBody) -> dict[str, Any]:
    """Place an order: `{order, lines, tracking}`. Two statements. Raises what `price` does, `Conflict`, `KeyReused`."""
    try:
        answer = await _bring_into_being(call, body)
    except (Refusal, asyncpg.PostgresError):
        # A repeat may find the menu changed or the kitchen full: it gets its first answer all the same.
        async with call.house.database.connection() as connection:
            stored = await stored_answer(connection, call)
        if stored is None:
            raise
        answer = stored
    else:
        call.house.nudge()
    return _placed(call, answer)


async def _bring_into_being(call: Call, body: PlaceBody) -> dict[str, Any]:
    priced = await price(call.house.database, body)
    for _ in range(CODE_ATTEMPTS):
        try:
            text = await attempt(call.house.database, placing.PLACE, **_parameters(call, body, priced))
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != CODE_TAKEN:
                raise
            continue
        if text is None:
            raise Conflict("the menu has changed since: ask for a new quote", code="order.menu_changed")
        return decode(text)
    raise Conflict("no short code is free in this kitchen: try again", code="kitchen.full")


def _parameters(call: Call, body: PlaceBody, priced: Priced) -> dict[str, Any]:
    token = tracking_token(call.house.tracking_secret, priced.order_id)
    return {
        "context": said(call),
        **keyed(call),
        "order_id": priced.order_id,
        "token_hash": sha256(token.encode()).digest(),
        "customer_id": call.who.person_id,
        "kitchen_id": str(body.kitchen_id),
        "item_ids": [str(wanted.item_id) for wanted in body.items],
        "quantities": [wanted.quantity for wanted in body.items],
        "options": [wanted.options for wanted in body.items],
        "note": body.note,
        "payment_method": body.payment_method,
        "subtotal_minor": priced.subtotal_minor,
        "delivery_fee_minor": priced.delivery_fee_minor,
        "distance_metres": priced.distance_metres,
        "drop_lat": body.drop.lat,
        "drop_lon": body.drop.lon,
        "ready_seconds": priced.ready_seconds,
        "promise_seconds": priced.promise_seconds,
        "code": "".join(secrets.choice(CODE_SIGNS) for _ in range(CODE_LENGTH)),
        "delivery_pin": f"{secrets.randbelow(10_000):04}",
    }


def _placed(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    token = tracking_token(call.house.tracking_secret, answer["order"]["id"])
    return {
        "order": seen_by(call.principal, "order", answer["order"]),
        "lines": [seen_by(call.principal, "line", line) for line in answer["lines"]],
        "tracking": {"token": token, "url": f"/t/{token}"},
    }


def tracking_token(secret: str, order_id: str) -> str:
    """The unguessable token of an order's page: 192 bits of HMAC-SHA256 over its id, so that it need not be stored."""
    return hmac.new(secret.encode(), order_id.encode(), sha256).hexdigest()[: TRACKING_BYTES * 2]
