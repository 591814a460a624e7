"""Kitchen tablets: a manager adds one and reads a code, the tablet pairs with it, cooks switch by PIN.

add ─► code (6 digits, 10 minutes) ─pair─► device token, good until the tablet is removed
                                             └─► access token of the tablet ─PIN─► of a cook, 10 minutes at a time

What a cook may by PIN ends at the kitchen, whatever else the cook is (`hub.domain.roles.AT_TABLET`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

import asyncpg

from db import devices
from db.context import context
from db.encryption import DataKeys, blind_index, blind_indexes, blind_indexes_by_key
from db.scope import reach_values
from db.statement import Connection, Record
from hub.auth.sessions import Caller, Doorkeeper, SignIn, open_session, token_for
from hub.domain.errors import Conflict, Forbidden, NotFound, RateLimited, Unauthenticated
from hub.domain.roles import Permission, Place, may
from hub.domain.session import SessionKind
from hub.gateway.creating import create
from hub.gateway.endpoint import Call
from hub.gateway.moves import decode, said
from hub.gateway.rate_limit import Limiter, Rule

DIGITS = 6
TOKEN_BYTES = 32
# A prefix that secret scanners can look for.
PREFIX = "hpd_"
SHAPE = re.compile(r"hpd_[A-Za-z0-9_-]{43}")
PIN_ATTEMPTS = 5
# Few codes are open at a time, and all guesses together are few.
GUESSES = Rule(name="pairing", limit=100, period_seconds=600, local_limit=10)
PINS = Rule(name="pin", limit=10, period_seconds=600, local_limit=3)


async def add(call: Call, *, kitchen_id: str, station_id: str | None, name: str, role: str) -> dict[str, Any]:
    """Add a tablet: its row and the code to pair it with; the same key gives the same code. Raises `NotFound`."""
    code = _code_of(call)
    try:
        row = await create(
            call,
            devices.ADD,
            **_reach(call),
            kitchen_id=kitchen_id,
            station_id=station_id,
            name=name,
            role=role,
            code_hash=_pairing_hash(call.house.data_keys, code),
            context=said(call, "added a tablet"),
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("another tablet has this code: try again with a fresh key", code="device.code_taken") from error
    if row is None:
        raise NotFound("there is no such kitchen or station, or not for you")
    return row | {"code": code}


async def list_devices(call: Call, kitchen_id: str) -> list[dict[str, Any]]:
    """The tablets of a kitchen within one's reach."""
    async with call.house.database.connection() as conn:
        return [decode(row[0]) for row in await devices.DEVICES_OF.rows(conn, kitchen_id=kitchen_id, **_reach(call))]


async def pair(keeper: Doorkeeper, limiter: Limiter, code: str, caller: Caller) -> tuple[SignIn, dict[str, Any], str]:
    """Pair the asking tablet: its sign-in, what it is, and its token. Raises `Unauthenticated` for a closed code."""
    await _take(limiter, GUESSES, "all")
    hashes = blind_indexes(keeper.data_keys, code, purpose="pairing")
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    async with keeper.database.connection() as conn:
        row = await devices.PAIR.row(conn, code_hashes=hashes, token_hash=token_hash(token))
    if row is None:
        raise Unauthenticated("this code is not open: ask for a new one", code="pin.wrong")
    signed_in = await open_session(
        keeper, row["person_id"], kind=SessionKind.DEVICE, device=row["name"], caller=caller, device_id=row["id"]
    )
    return signed_in, _shown(row), token


async def enter(keeper: Doorkeeper, token: str, caller: Caller) -> tuple[str, int, dict[str, Any]]:
    """A paired tablet comes back: its access token, when that expires, and what it is. Raises `Unauthenticated`."""
    row = None
    if SHAPE.fullmatch(token):
        said = context(actor="tablet", reason="the tablet came back", request_id=caller.request_id)
        async with keeper.database.connection() as conn:
            row = await devices.ENTER.row(conn, token_hash=token_hash(token), context=said)
    if row is None:
        raise Unauthenticated("this tablet is not paired, or was removed: pair it again", code="auth.invalid")
    access_token, expires_at = token_for(keeper, person_id=row["person_id"], session_id=row["session_id"])
    return access_token, expires_at, _shown(row)


async def remove(call: Call) -> dict[str, Any]:
    """Remove a tablet: its tokens, its sockets, its rights and every sign-in at it end. Raises `NotFound`."""
    async with call.house.database.transaction() as conn:
        await devices.LOCK.row(conn, **call.ids)
        text = await devices.REMOVE.value(conn, **call.ids, **_reach(call), context=said(call, "removed a tablet"))
    if text is None:
        raise NotFound("there is no such tablet, or not for you")
    row = decode(text)
    call.house.authority.forget(row["person_id"])
    call.house.nudge()
    return row


async def new_pin(call: Call, kitchen_id: str) -> str:
    """Give the asking person a PIN for the tablets of a kitchen where they work; it is told once, now."""
    async with call.house.database.connection() as conn:
        region = await devices.PLACE_OF_KITCHEN.value(conn, kitchen_id=kitchen_id)
        place = Place(kitchen_id=kitchen_id, region=region)
        if region is None or not may(call.who, Permission.KITCHEN_READ, place):
            raise NotFound("there is no such kitchen, or not for you")
        for _ in range(PIN_ATTEMPTS):
            pin = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
            if await _is_set(conn, call.house.data_keys, call.who.person_id, kitchen_id, pin):
                return pin
    raise Conflict("no PIN was free: try again", code="pin.none_free")


async def _is_set(conn: Connection, keys: DataKeys, person_id: str, kitchen_id: str, pin: str) -> bool:
    """Give a PIN to a person, unless somebody else of this kitchen has it."""
    hashes = blind_indexes_by_key(keys, f"{kitchen_id}{pin}", purpose="pin")
    try:
        return bool(
            await devices.SET_PIN.run(
                conn,
                person_id=person_id,
                kitchen_id=kitchen_id,
                hash=hashes[keys.current_id],
                key_id=keys.current_id,
                hashes=list(hashes.values()),
            )
        )
    except asyncpg.UniqueViolationError:
        return False


async def switch(call: Call, keeper: Doorkeeper, pin: str, caller: Caller) -> SignIn:
    """Sign a cook in at the asking tablet. Raises `Forbidden` elsewhere, `Unauthenticated` for a wrong PIN."""
    async with keeper.database.connection() as conn:
        device = await devices.DEVICE_OF.row(conn, person_id=call.who.person_id)
    if device is None:
        raise Forbidden("only a paired tablet switches by PIN", code="pin.not_a_tablet")
    await _take(call.house.limiter, PINS, device["id"])
    async with keeper.database.connection() as conn:
        person_id = await _person_of_pin(conn, keeper.data_keys, device["kitchen_id"], pin)
    return await open_session(
        keeper, person_id, kind=SessionKind.DEVICE, device=device["name"], caller=caller, device_id=device["id"]
    )


async def _person_of_pin(conn: Connection, keys: DataKeys, kitchen_id: str, pin: str) -> str:
    """Whose PIN it is; it comes under the present key, now that it is known for a moment. Raises `Unauthenticated`."""
    hashes = blind_indexes_by_key(keys, f"{kitchen_id}{pin}", purpose="pin")
    row = await devices.PERSON_OF_PIN.row(conn, kitchen_id=kitchen_id, hashes=list(hashes.values()))
    if row is None:
        told = "nobody of this kitchen has this PIN"
        if await devices.HAS_LOST_PINS.value(conn, kitchen_id=kitchen_id, key_ids=list(hashes)):
            told += ": those from before the change of keys are gone, get a new one"
        raise Unauthenticated(told, code="pin.wrong")
    present = hashes[keys.current_id]
    if row["hash"] != present:
        await devices.RENEW_PIN.run(conn, kitchen_id=kitchen_id, old=row["hash"], hash=present, key_id=keys.current_id)
    return str(row["person_id"])


def _reach(call: Call) -> dict[str, Any]:
    """How far one's permission reaches over kitchens; nobody owns one."""
    return {name: value for name, value in reach_values(call.reach).items() if name != "owner_id"}


async def _take(limiter: Limiter, rule: Rule, who: str) -> None:
    verdict = await limiter.take([(rule, who)])
    if verdict is not None and not verdict.is_allowed:
        raise RateLimited(retry_after=verdict.retry_after_seconds)


def token_hash(token: str) -> bytes:
    """What the database knows a device token by. A plain hash suffices: nothing can be guessed in 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def _shown(row: Record) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "kitchen_id", "station_id", "name")}


def _pairing_hash(keys: DataKeys, code: str) -> bytes:
    return blind_index(keys, code, purpose="pairing")


def _code_of(call: Call) -> str:
    """The code of this request: drawn by its key, so that a repeat is answered alike and nothing is stored."""
    drawn = blind_index(call.house.data_keys, f"{call.who.person_id}{call.key}", purpose="pairing code")
    return f"{int.from_bytes(drawn) % 10**DIGITS:0{DIGITS}}"
