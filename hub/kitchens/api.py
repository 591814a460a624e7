"""The HTTP routes of kitchens, their menus, pauses and 86'd dishes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta

from db import kitchens
from hub.domain.errors import NotFound, WrongState
from hub.domain.roles import Permission
from hub.domain.topics import TopicKind
from hub.domain.views import cut
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.moves import carry_out, decode
from hub.gateway.reasons import ReasonText, Remark, trimmed
from hub.gateway.scopes import InRegion
from hub.gateway.shapes import Row

ENDPOINTS = Endpoints("kitchens")


class Pause(msgspec.Struct, forbid_unknown_fields=True):
    """For how long, and why. A pause always ends by itself."""

    minutes: Annotated[int, Meta(ge=1, le=240)]
    reason: ReasonText


class SoldOut(msgspec.Struct, forbid_unknown_fields=True):
    """Why a dish is off, if there is more to say."""

    reason: Remark = ""


@ENDPOINTS.route(
    "GET", "/kitchens", summary="List kitchens", is_public=True, query=InRegion, answer={"kitchens": [Row("kitchen")]}
)
async def list_kitchens(call: Call) -> Any:
    """`{kitchens}`, by region and code."""
    async with call.house.database.connection() as connection:
        rows = await kitchens.KITCHEN_LIST.rows(connection, region=call.query.region)
    return {"kitchens": [seen_by(call.principal, "kitchen", decode(row[0])) for row in rows]}


@ENDPOINTS.route(
    "GET",
    "/kitchens/<kitchen_id:uuid>/menu",
    summary="Read a menu",
    is_public=True,
    answer={"kitchen": Row("kitchen"), "brands": [Row("brand")], "items": [Row("item")]},
)
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
    answer={"kitchen": Row("kitchen")},
)
async def pause(call: Call) -> Any:
    """`{kitchen}`; no order enters until the time is over or the kitchen resumes."""
    return await _change(call, kitchens.PAUSE, "pause", reason=trimmed(call.body.reason), minutes=call.body.minutes)


@ENDPOINTS.route(
    "POST",
    "/kitchens/<kitchen_id:uuid>/resume",
    summary="Resume a kitchen",
    permission=Permission.KITCHEN_RESUME,
    answer={"kitchen": Row("kitchen")},
)
async def resume(call: Call) -> Any:
    """`{kitchen}`."""
    return await _change(call, kitchens.RESUME, "resume")


async def _change(call: Call, statement: Any, move: str, *, reason: str | None = None, **values: Any) -> dict[str, Any]:
    row = await carry_out(
        call,
        statement,
        entity="kitchen",
        move=move,
        present=kitchens.KITCHEN_ROW,
        because=reason,
        **values,
    )
    return {"kitchen": seen_by(call.principal, "kitchen", row)}


@ENDPOINTS.route(
    "POST",
    "/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/86",
    summary="Take a dish off",
    permission=Permission.ITEM_86,
    body=SoldOut,
    answer={"item": Row("item")},
)
async def sell_out(call: Call) -> Any:
    """`{item}`; 409 when it is off already."""
    return await _availability(call, kitchens.ITEM_86, "86", trimmed(call.body.reason))


@ENDPOINTS.route(
    "POST",
    "/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/back",
    summary="Bring a dish back",
    permission=Permission.ITEM_BACK,
    answer={"item": Row("item")},
)
async def bring_back(call: Call) -> Any:
    """`{item}`; 409 when it is there already."""
    return await _availability(call, kitchens.ITEM_BACK, "back", None)


async def _availability(call: Call, statement: Any, move: str, reason: str | None) -> dict[str, Any]:
    def unmet(row: dict[str, Any]) -> WrongState:
        status, legal = ("on the menu", ("86",)) if row["is_available"] else ("off the menu", ("back",))
        return WrongState(
            entity="item", move=move, status=status, legal=legal, row=seen_by(call.principal, "item", row)
        )

    row = await carry_out(
        call, statement, entity="item", move=move, present=kitchens.ITEM_ROW, because=reason, unmet=unmet
    )
    return {"item": seen_by(call.principal, "item", row)}


@ENDPOINTS.route("GET", "/clock", summary="The product clock", is_public=True, answer={"at": datetime, "rate": float})
async def read_clock(call: Call) -> Any:
    """`{at, rate}`: business time now, and how fast it runs."""
    async with call.house.database.connection() as connection:
        row = await kitchens.CLOCK.only(connection)
    return {"at": row["at"].isoformat(), "rate": row["rate"]}
