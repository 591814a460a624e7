"""Administration of people: list, add, disable, look at, merge, erase."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import orjson

from db import administration, security
from db.encryption import blind_index, blind_indexes
from hub.domain.errors import Conflict, NotFound
from hub.domain.security import SecurityKind
from hub.gateway.creating import create
from hub.gateway.endpoint import Call
from hub.gateway.moves import decode, explain, said
from hub.gateway.paging import filters_of, page_of, plain
from hub.gateway.phones import PHONE, masked_phone, normal_phone
from hub.users.private import open_address, open_phone, seal_phone

SHOWN = ("id", "name", "locale", "time_zone", "is_active", "created_at", "erased_at", "merged_into", "version")


async def list_people(call: Call) -> dict[str, Any]:
    """A page of people, newest first; `?phone=` finds one by number."""
    phone = call.query.phone
    phones = None if phone is None else blind_indexes(call.house.data_keys, normal_phone(phone), purpose=PHONE)
    async with call.house.database.connection() as conn:
        rows = await administration.PEOPLE_PAGE.rows(conn, phones=phones, after=plain(call.query.after))
    shown = [_shown(decode(row["person"])) | {"has_phone": row["has_phone"], "roles": row["roles"]} for row in rows]
    page, following = page_of(shown, call.query.limit)
    return {"users": page, "next": following}


async def read_person(call: Call) -> dict[str, Any]:
    """One person with their grants; neither phone nor address."""
    async with call.house.database.connection() as conn:
        row = await administration.PERSON.row(conn, **call.ids)
    if row is None:
        raise _nobody()
    person = _shown(decode(row["person"])) | {"has_phone": row["has_phone"]}
    return {"user": person, "grants": orjson.loads(row["grants"])}


async def reveal(call: Call, reason: str) -> dict[str, Any]:
    """A person's phone and addresses in clear; who looked, and why, is recorded in the same statement."""
    async with call.house.database.connection() as conn:
        row = await administration.REVEAL.row(
            conn, **call.ids, actor_id=call.who.person_id, reason=reason, request_id=call.request_id
        )
    if row is None:
        raise _nobody()
    keys, person_id = call.house.data_keys, call.ids["person_id"]
    call.house.watch.note(
        SecurityKind.DATA_REVEALED,
        person_id=call.who.person_id,
        about=person_id,
        detail=f"of {person_id}: {reason}",
        request_id=call.request_id,
    )
    return {
        "phone": None if row["phone"] is None else open_phone(keys, row["phone"], person_id),
        "addresses": [
            {name: clear[name] for name in ("id", "label", "line", "notes", "lat", "lon")}
            for clear in (open_address(keys, address) for address in orjson.loads(row["addresses"]))
        ],
    }


async def add_person(call: Call, *, name: str, locale: str, phone: str | None) -> dict[str, Any]:
    """Add a person without any role. Raises `Conflict` for a phone that somebody has."""
    person_id, keys = str(uuid4()), call.house.data_keys
    number = None if phone is None else normal_phone(phone)
    try:
        row = await create(
            call,
            administration.ADD,
            person_id=person_id,
            name=name,
            locale=locale,
            phone=None if number is None else seal_phone(keys, number, person_id),
            phone_index=None if number is None else blind_index(keys, number, purpose=PHONE),
            context=said(call, "added by the administration"),
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"somebody has {masked_phone(number or '')} already", code="phone.taken") from error
    if row is None:
        raise _nobody()
    return _shown(row)


async def set_active(call: Call, *, is_active: bool, reason: str) -> dict[str, Any]:
    """Disable a person, which ends their sessions, or let them in again. Raises `NotFound` or `StaleVersion`."""
    async with call.house.database.connection() as conn:
        text = await administration.SET_ACTIVE.value(
            conn, **call.ids, is_active=is_active, version=call.expected_version, context=said(call, reason)
        )
        present = await administration.PERSON_ROW.value(conn, **call.ids) if text is None else None
    if text is None:
        if present is not None and decode(present)["is_active"] is False:
            raise Conflict("this person was merged or erased: that is final", code="user.gone")
        explain(call, "user", "change", None, present)
    return _told(call, str(text))


async def merge(call: Call, *, into_id: str, reason: str) -> dict[str, Any]:
    """Make one person out of two: what belonged to the first belongs to `into_id`. Raises `Conflict`."""
    keys, person_id = call.house.data_keys, call.ids["person_id"]
    async with call.house.database.transaction() as conn:
        text = await administration.MERGE.value(conn, person_id=person_id, into_id=into_id, context=said(call, reason))
        if text is None:
            raise Conflict(
                "these two cannot be merged: one is unknown, gone, or they are the same", code="user.unmergeable"
            )
        contact = await administration.TAKE_CONTACT.row(conn, person_id=person_id)
        if contact is not None:
            phone = seal_phone(keys, open_phone(keys, contact["phone"], person_id), into_id)
            await administration.GIVE_CONTACT.run(
                conn, person_id=into_id, phone=phone, phone_index=contact["phone_index"]
            )
    call.house.authority.forget(into_id)
    return _told(call, text)


async def erase(call: Call, *, reason: str) -> dict[str, Any]:
    """Take a person out of everything but the money. Raises `Conflict` while an order of theirs is under way."""
    async with call.house.database.transaction() as conn:
        text = await administration.ERASE.value(conn, **call.ids, context=said(call, reason))
        is_busy = await administration.HAS_OPEN_ORDER.value(conn, **call.ids) if text is None else False
        if text is not None:
            await administration.EMPTY_AUDIT.run(conn, **call.ids)
    if is_busy:
        raise Conflict("an order of this person is under way: erase them after its end", code="user.has_open_order")
    if text is None:
        raise _nobody()
    return _told(call, text)


async def list_looks(call: Call) -> dict[str, Any]:
    """Who looked at whose private data, newest first; `?subject_id=`, `?actor_id=`."""
    async with call.house.database.connection() as conn:
        rows = await administration.LOOKS.rows(conn, **filters_of(call))
    return {"looks": [dict(row) for row in rows]}


async def list_events(call: Call) -> dict[str, Any]:
    """A page of security events, newest first; `?kind=`, `?severity=`; and the counts of the last hour."""
    async with call.house.database.connection() as conn:
        rows = await security.EVENTS_PAGE.rows(conn, **filters_of(call))
        counts = await security.COUNTS.rows(conn)
    page, following = page_of([decode(row[0]) for row in rows], call.query.limit)
    return {"events": page, "next": following, "last_hour": [dict(row) for row in counts]}


def _told(call: Call, text: str) -> dict[str, Any]:
    call.house.authority.forget(call.ids["person_id"])
    call.house.nudge()
    return _shown(decode(text))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN}


def _nobody() -> NotFound:
    return NotFound("there is no such person")
