"""One's own profile and addresses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from db import users
from db.connection import Database
from hub.domain.errors import NotFound, StaleVersion, Unprocessable
from hub.domain.geo import is_on_globe
from hub.gateway.creating import create
from hub.gateway.endpoint import Call
from hub.gateway.moves import decode, said
from hub.users.private import open_address, seal_address

PROFILE_FIELDS = ("id", "name", "locale", "time_zone", "notifications", "version")


def profile_of(row: dict[str, Any]) -> dict[str, Any]:
    """A person's row as its owner sees it."""
    return {name: row[name] for name in PROFILE_FIELDS}


async def read_profile(call: Call) -> dict[str, Any]:
    """One's own profile."""
    async with call.house.database.connection() as conn:
        text = await users.PROFILE.value(conn, person_id=call.who.person_id)
    if text is None:
        raise NotFound("there is no such person")
    return profile_of(decode(text))


async def read_regions(database: Database) -> list[str]:
    """Every region that has a kitchen."""
    async with database.connection() as conn:
        return [str(row["region"]) for row in await users.REGIONS.rows(conn)]


async def edit_profile(
    call: Call, *, name: str | None, locale: str | None, time_zone: str | None, notifications: list[str] | None
) -> dict[str, Any]:
    """Change what is not None. Raises `StaleVersion`, or `Unprocessable` for a zone that Postgres does not know."""
    async with call.house.database.connection() as conn:
        if time_zone is not None and time_zone not in {row["name"] for row in await users.TIME_ZONES.rows(conn)}:
            raise Unprocessable("this is no time zone: use a name like Asia/Kolkata", path="$.time_zone")
        text = await users.EDIT_PROFILE.value(
            conn,
            person_id=call.who.person_id,
            version=call.expected_version,
            name=name,
            locale=locale,
            time_zone=time_zone,
            notifications=notifications,
            context=said(call, "edited the profile"),
        )
    if text is None:
        raise _stale(call, "user", await read_profile(call))
    call.house.authority.forget(call.who.person_id)
    call.house.nudge()
    return profile_of(decode(str(text)))


async def list_addresses(call: Call) -> list[dict[str, Any]]:
    """One's own addresses in clear, oldest first."""
    async with call.house.database.connection() as conn:
        rows = await users.ADDRESSES_OF.rows(conn, person_id=call.who.person_id)
    return [_shown(call, decode(row[0])) for row in rows]


async def add_address(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Keep an address; the first becomes the default. Raises what the key or the place is refused for."""
    _check_place(given)
    address_id = str(uuid4())
    sealed = seal_address(call.house.data_keys, line=given["line"], notes=given["notes"], address_id=address_id)
    row = await create(
        call,
        users.ADD_ADDRESS,
        **sealed,
        address_id=address_id,
        person_id=call.who.person_id,
        label=given["label"],
        lat=given["lat"],
        lon=given["lon"],
    )
    if row is None:
        raise NotFound("there is no such person")
    return _shown(call, row)


async def edit_address(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Replace an address. Orders under way keep the place they were given."""
    _check_place(given)
    address_id = call.ids["address_id"]
    sealed = seal_address(call.house.data_keys, line=given["line"], notes=given["notes"], address_id=address_id)
    target = {"address_id": address_id, "person_id": call.who.person_id}
    async with call.house.database.connection() as conn:
        text = await users.EDIT_ADDRESS.value(
            conn,
            **target,
            **sealed,
            version=call.expected_version,
            label=given["label"],
            lat=given["lat"],
            lon=given["lon"],
        )
        present = await users.ADDRESS_ROW.value(conn, **target) if text is None else None
    if text is None:
        if present is None:
            raise NotFound("there is no such address")
        raise _stale(call, "address", _shown(call, decode(present)))
    return _shown(call, decode(str(text)))


async def remove_address(call: Call) -> None:
    """Forget an address. Raises `NotFound`."""
    async with call.house.database.connection() as conn:
        gone = await users.REMOVE_ADDRESS.value(conn, address_id=call.ids["address_id"], person_id=call.who.person_id)
    if gone is None:
        raise NotFound("there is no such address")


async def make_default(call: Call) -> None:
    """Make an address the one that is offered first. Raises `NotFound`."""
    person_id = call.who.person_id
    async with call.house.database.transaction() as conn:
        await users.LOCK_PERSON.value(conn, person_id=person_id)
        await users.NO_DEFAULT.run(conn, person_id=person_id)
        if await users.MAKE_DEFAULT.value(conn, address_id=call.ids["address_id"], person_id=person_id) is None:
            raise NotFound("there is no such address")


def _check_place(given: dict[str, Any]) -> None:
    if not is_on_globe(given["lat"], given["lon"]) or (given["lat"], given["lon"]) == (0, 0):
        raise Unprocessable("this is not a place that food can be brought to", code="body.invalid", path="$.lat")


def _shown(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    clear = open_address(call.house.data_keys, row)
    return {name: clear[name] for name in ("id", "label", "line", "notes", "lat", "lon", "is_default", "version")}


def _stale(call: Call, entity: str, row: dict[str, Any]) -> StaleVersion:
    expected = call.expected_version or 0
    return StaleVersion(entity=entity, expected=expected, row=row, version=row["version"], legal=())
