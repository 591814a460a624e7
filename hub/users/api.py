"""The HTTP routes of one's own: profile, topics, addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import orjson
from sanic.response import raw

from hub.domain.roles import Permission, Role
from hub.gateway.endpoint import Call, Endpoints
from hub.users import me
from hub.users.topics import topics_of

ENDPOINTS = Endpoints("me")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"\S")]
Locale = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*\Z", max_length=35)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=r"\S")]
Notes = Annotated[str, msgspec.Meta(max_length=500)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"\S")]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Notice = Literal["order", "delivery", "offer", "security"]
PROFILE = {"id": UUID, "name": str, "locale": str, "time_zone": str, "notifications": [Notice], "version": int}
HELD = {"role": Role, "scope": str, "expires_at": datetime | None}
ADDRESS = {
    "id": UUID, "label": str, "line": str, "notes": str, "lat": float, "lon": float, "is_default": bool, "version": int,
}  # fmt: skip


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """What a person may change about themselves; what is left out stays."""

    name: Name | None = None
    locale: Locale | None = None
    time_zone: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    notifications: Annotated[list[Notice], msgspec.Meta(max_length=4)] | None = None


class Address(msgspec.Struct, forbid_unknown_fields=True):
    """Where somebody lives or works; `notes` help the rider to the door."""

    label: Label
    line: Line
    lat: Latitude
    lon: Longitude
    notes: Notes = ""


@ENDPOINTS.route(
    "GET",
    "/me",
    summary="Who am I, and what may I follow",
    answer={"person": PROFILE, "grants": [HELD], "topics": [str]},
)
async def read_me(call: Call) -> Any:
    """`{person, grants, topics}` with the person's version as ETag."""
    person = await me.read_profile(call)
    grants = [{"role": grant.role, "scope": grant.scope, "expires_at": grant.expires_at} for grant in call.who.grants]
    topics = topics_of(call.who, await me.read_regions(call.house.database))
    return _tagged({"person": person, "grants": grants, "topics": topics}, person["version"])


@ENDPOINTS.route(
    "PATCH",
    "/me",
    summary="Change one's profile",
    permission=Permission.PROFILE_EDIT,
    body=Profile,
    answer={"person": PROFILE},
)
async def edit_me(call: Call) -> Any:
    """`{person}`."""
    person = await me.edit_profile(call, **msgspec.structs.asdict(call.body))
    return _tagged({"person": person}, person["version"])


@ENDPOINTS.route(
    "GET",
    "/me/addresses",
    summary="List one's addresses",
    permission=Permission.PROFILE_EDIT,
    answer={"addresses": [ADDRESS]},
)
async def list_addresses(call: Call) -> Any:
    """`{addresses}`, oldest first."""
    return {"addresses": await me.list_addresses(call)}


@ENDPOINTS.route(
    "POST",
    "/me/addresses",
    summary="Add an address",
    permission=Permission.PROFILE_EDIT,
    body=Address,
    status=201,
    answer={"address": ADDRESS},
)
async def add_address(call: Call) -> Any:
    """201 `{address}`."""
    return {"address": await me.add_address(call, msgspec.structs.asdict(call.body))}


@ENDPOINTS.route(
    "PUT",
    "/me/addresses/<address_id:uuid>",
    summary="Replace an address",
    permission=Permission.PROFILE_EDIT,
    body=Address,
    answer={"address": ADDRESS},
)
async def edit_address(call: Call) -> Any:
    """`{address}`."""
    return {"address": await me.edit_address(call, msgspec.structs.asdict(call.body))}


@ENDPOINTS.route(
    "DELETE",
    "/me/addresses/<address_id:uuid>",
    summary="Forget an address",
    permission=Permission.PROFILE_EDIT,
    answer={},
)
async def remove_address(call: Call) -> Any:
    """`{}`."""
    await me.remove_address(call)
    return {}


@ENDPOINTS.route(
    "POST",
    "/me/addresses/<address_id:uuid>/default",
    summary="Offer an address first",
    permission=Permission.PROFILE_EDIT,
    is_keyed=False,
    answer={},
)
async def make_default(call: Call) -> Any:
    """`{}`."""
    await me.make_default(call)
    return {}


def _tagged(body: dict[str, Any], version: int) -> Any:
    return raw(orjson.dumps(body), content_type="application/json", headers={"ETag": f'"{version}"'})
