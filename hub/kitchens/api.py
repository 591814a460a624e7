"""The HTTP routes of kitchens, their menus, pauses and 86'd dishes."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from db import kitchens
from hub.domain.errors import NotFound, Unprocessable
from hub.domain.roles import Permission
from hub.domain.topics import TopicKind
from hub.domain.views import cut
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.moves import carry_out, decode

ENDPOINTS = Endpoints("kitchens")


class Pause(msgspec.Struct, forbid_unknown_fields=True):
    """For how long, and why. A pause always ends by itself."""

    minutes: int
    reason: str


class SoldOut(msgspec.Struct, forbid_unknown_fields=True):
    """Why a dish is off, if there is more to say."""

    reason: str = ""


@ENDPOINTS.route("GET", "/kitchens", summary="List kitchens", is_public=True)
async def list_kitchens(call: Call) -> Any:
    """`{kitchens}`, by region and code."""
    async with call.house.database.connection() as connection:
        rows = await kitchens.KITCHEN_LIST.rows(connection, region=call.query.get("region"))
    return {"kitchens": [seen_by(call.principal, "kitchen", decode(row[0])) for row in rows]}


@ENDPOINTS.route("GET", "/kitchens/<kitchen_id:uuid>/menu", summary="Read a menu", is_public=True)
async def read_menu(call: Call) -> Any:
    """`{kitchen, brands, items}` as a customer sees them."""
    async with call.house.database.connection() as connection:
        row = await kitchens.MENU.row(connection, **call.ids)
    if row is None:
        raise NotFound("there is no such kitchen")
    return {
        "kitchen": cut("kitchen", TopicKind.MENU, decode(row["kitchen"])),
        "brands": [cut("brand", TopicKind.MENU, brand) for brand in orjson.loads(row["brands"])],
        "items": [cut("item", TopicKind.MENU, item) for item in orjson.loads(row["items"])],
    }


@ENDPOINTS.route(
    "POST",
    "/kitchens/<kitchen_id:uuid>/pause",
    summary="Pause a kitchen",
    permission=Permission.KITCHEN_PAUSE,
    body=Pause,
)
async def pause(call: Call) -> Any:
    """`{kitchen}`; no order enters until the time is over or the kitchen resumes."""
    if not 1 <= call.body.minutes <= 240 or not 1 <= len(call.body.reason.strip()) <= 300:
        raise Unprocessable(
            "a pause has 1 to 240 minutes and a reason of 1 to 300 characters", code="body.invalid", path="$.minutes"
        )
    return await _change(call, kitchens.PAUSE, "pause", reason=call.body.reason.strip(), minutes=call.body.minutes)


@ENDPOINTS.route(
    "POST", "/kitchens/<kitchen_id:uuid>/resume", summary="Resume a kitchen", permission=Permission.KITCHEN_RESUME
)
async def resume(call: Call) -> Any:
    """`{kitchen}`."""
    return await _change(call, kitchens.RESUME, "resume")


async def _change(call: Call, statement: Any, move: str, **values: Any) -> dict[str, Any]:
    reason = values.pop("reason", None)
    row = await carry_out(
        call,
        statement,
        entity="kitchen",
        move=move,
        present=kitchens.KITCHEN_ROW,
        because=reason,
        takes_version=False,
        **values,
    )
    return {"kitchen": seen_by(call.principal, "kitchen", row)}


@ENDPOINTS.route(
    "POST",
    "/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/86",
    summary="Take a dish off",
    permission=Permission.ITEM_86,
    body=SoldOut,
)
async def sell_out(call: Call) -> Any:
    """`{item}`; 409 when it is off already."""
    return await _availability(call, kitchens.ITEM_86, "86", call.body.reason[:300] or None)


@ENDPOINTS.route(
    "POST",
    "/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/back",
    summary="Bring a dish back",
    permission=Permission.ITEM_BACK,
)
async def bring_back(call: Call) -> Any:
    """`{item}`; 409 when it is there already."""
    return await _availability(call, kitchens.ITEM_BACK, "back", None)


async def _availability(call: Call, statement: Any, move: str, reason: str | None) -> dict[str, Any]:
    row = await carry_out(
        call, statement, entity="item", move=move, present=kitchens.ITEM_ROW, because=reason, takes_version=False
    )
    return {"item": seen_by(call.principal, "item", row)}


@ENDPOINTS.route("GET", "/clock", summary="The product clock", is_public=True)
async def read_clock(call: Call) -> Any:
    """`{at, rate}`: business time now, and how fast it runs."""
    async with call.house.database.connection() as connection:
        row = await kitchens.CLOCK.only(connection)
    return {"at": row["at"].isoformat(), "rate": row["rate"]}
