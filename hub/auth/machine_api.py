"""The HTTP routes of machines: kitchen tablets with their PINs, and keys of integrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from hub.auth import devices, keys
from hub.auth.api import GREETING, caller_of, doorkeeper_of, greeting_of
from hub.domain.roles import Permission
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.rate_limit import RateClass

ENDPOINTS = Endpoints("machines")
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}\Z")]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"\S")]
P = Permission
PAIRED = {"id": UUID, "kitchen_id": UUID, "station_id": UUID | None, "name": str}
DEVICE = PAIRED | {
    "person_id": UUID, "code_expires_at": datetime | None, "paired_at": datetime | None, "created_at": datetime,
}  # fmt: skip
API_KEY = {
    "id": UUID, "person_id": UUID, "name": str, "hint": str, "created_at": datetime, "expires_at": datetime,
    "revoked_at": datetime | None, "last_used_at": datetime | None,
}  # fmt: skip


class OfKitchen(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which kitchen."""

    kitchen_id: UUID


class NewDevice(msgspec.Struct, forbid_unknown_fields=True):
    """A tablet for one kitchen, perhaps for one station."""

    kitchen_id: Id
    name: Title
    role: Literal["cook", "expediter"] = "cook"
    station_id: Id | None = None


class PairingCode(msgspec.Struct, forbid_unknown_fields=True):
    """The code that the manager read out."""

    code: Digits


class DeviceToken(msgspec.Struct, forbid_unknown_fields=True):
    """The token that pairing gave the tablet."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Pin(msgspec.Struct, forbid_unknown_fields=True):
    """The PIN of a cook of this kitchen."""

    pin: Digits


class PinFor(msgspec.Struct, forbid_unknown_fields=True):
    """The kitchen where the PIN will be used."""

    kitchen_id: Id


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key for an integrator: where it reaches, and for how long."""

    name: Title
    scopes: Annotated[list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(min_length=1, max_length=50)]
    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 90


class Key(msgspec.Struct, forbid_unknown_fields=True):
    """The key of an integrator."""

    key: Annotated[str, msgspec.Meta(max_length=100)]


@ENDPOINTS.route(
    "POST",
    "/devices",
    summary="Add a tablet",
    permission=P.DEVICE_PAIR,
    body=NewDevice,
    status=201,
    answer={"device": DEVICE | {"code": str}},
)
async def add_device(call: Call) -> Any:
    """201 `{device}` with its `code`."""
    return {"device": await devices.add(call, **msgspec.structs.asdict(call.body))}


@ENDPOINTS.route(
    "GET",
    "/devices",
    summary="List the tablets of a kitchen",
    permission=P.DEVICE_PAIR,
    query=OfKitchen,
    answer={"devices": [DEVICE]},
)
async def list_devices(call: Call) -> Any:
    """`{devices}` of `?kitchen_id=`."""
    return {"devices": await devices.list_devices(call, str(call.query.kitchen_id))}


@ENDPOINTS.route(
    "DELETE",
    "/devices/<device_id:uuid>",
    summary="Remove a tablet",
    permission=P.DEVICE_PAIR,
    answer={"device": DEVICE},
)
async def remove_device(call: Call) -> Any:
    """`{device}`, removed."""
    return {"device": await devices.remove(call)}


@ENDPOINTS.route(
    "POST",
    "/devices/pair",
    summary="Pair a tablet",
    body=PairingCode,
    is_public=True,
    rate_class=RateClass.SIGN_IN,
    answer=GREETING | {"device": PAIRED, "device_token": str, "home": str},
)
async def pair(call: Call) -> Any:
    """`{access_token, expires_at, refresh_token, person, device, device_token, home}`; the token is told only now."""
    signed_in, device, token = await devices.pair(
        doorkeeper_of(call), call.house.limiter, call.body.code, caller_of(call)
    )
    home = f"/kitchen/{device['kitchen_id']}"
    return greeting_of(signed_in) | {"device": device, "device_token": token, "home": home}


@ENDPOINTS.route(
    "POST",
    "/devices/token",
    summary="Exchange a tablet's token",
    body=DeviceToken,
    is_public=True,
    rate_class=RateClass.REFRESH,
    answer={"access_token": str, "expires_at": datetime, "device": PAIRED, "home": str},
)
async def enter(call: Call) -> Any:
    """`{access_token, expires_at, device, home}`; the token holds until the tablet is removed."""
    token, expires_at, device = await devices.enter(doorkeeper_of(call), call.body.device, caller_of(call))
    told = {"access_token": token, "expires_at": datetime.fromtimestamp(expires_at, UTC).isoformat()}
    return told | {"device": device, "home": f"/kitchen/{device['kitchen_id']}"}


@ENDPOINTS.route(
    "POST",
    "/devices/switch",
    summary="Switch cooks by PIN",
    body=Pin,
    is_keyed=False,
    rate_class=RateClass.SIGN_IN,
    answer={name: kind for name, kind in GREETING.items() if name != "refresh_token"},
)
async def switch(call: Call) -> Any:
    """`{access_token, expires_at, person}`: no refresh token, so the tablet locks itself after ten minutes."""
    answer = greeting_of(await devices.switch(call, doorkeeper_of(call), call.body.pin, caller_of(call)))
    del answer["refresh_token"]
    return answer


@ENDPOINTS.route(
    "POST",
    "/me/pin",
    summary="Get a PIN for the tablets of a kitchen",
    permission=P.KITCHEN_READ,
    body=PinFor,
    is_keyed=False,
    rate_class=RateClass.SIGN_IN,
    answer={"pin": str},
)
async def new_pin(call: Call) -> Any:
    """`{pin}`, told once; the one before it is gone."""
    return {"pin": await devices.new_pin(call, call.body.kitchen_id)}


@ENDPOINTS.route(
    "POST",
    "/api-keys",
    summary="Make a key",
    permission=P.API_KEY_EDIT,
    body=NewKey,
    status=201,
    answer={"api_key": API_KEY | {"key": str}},
)
async def add_key(call: Call) -> Any:
    """201 `{api_key}` with its `key`, told only now."""
    return {"api_key": await keys.add(call, **msgspec.structs.asdict(call.body))}


@ENDPOINTS.route("GET", "/api-keys", summary="List keys", permission=P.API_KEY_EDIT, answer={"api_keys": [API_KEY]})
async def list_keys(call: Call) -> Any:
    """`{api_keys}`, newest first."""
    return {"api_keys": await keys.list_keys(call)}


@ENDPOINTS.route(
    "DELETE",
    "/api-keys/<api_key_id:uuid>",
    summary="Revoke a key",
    permission=P.API_KEY_EDIT,
    answer={"api_key": API_KEY},
)
async def revoke_key(call: Call) -> Any:
    """`{api_key}`, revoked."""
    return {"api_key": await keys.revoke(call)}


@ENDPOINTS.route(
    "POST",
    "/auth/key",
    summary="Exchange a key",
    body=Key,
    is_public=True,
    rate_class=RateClass.SIGN_IN,
    answer={"access_token": str, "expires_at": datetime},
)
async def exchange(call: Call) -> Any:
    """`{access_token, expires_at}`: ask again before it expires."""
    token, expires_at = await keys.exchange(doorkeeper_of(call), call.body.key)
    return {"access_token": token, "expires_at": datetime.fromtimestamp(expires_at, UTC).isoformat()}
