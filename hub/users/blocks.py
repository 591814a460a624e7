"""Who may not order, or only when paid before or looked at: by person, phone or square of town; and who stays apart."""

from __future__ import annotations

import math
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from db import blocks
from db.encryption import DataKeys, blind_index, seal
from hub.domain.block import BlockEffect, BlockKind, is_fitting
from hub.domain.errors import Conflict, NotFound, Unprocessable
from hub.domain.geo import is_on_globe
from hub.gateway.creating import create
from hub.gateway.endpoint import Call
from hub.gateway.moves import decode, said
from hub.gateway.paging import filters_of, page_of
from hub.gateway.phones import PHONE, normal_phone

LONGEST_DAYS = 366


def subject_of(keys: DataKeys, kind: BlockKind, value: str, *, block_id: str) -> tuple[str, bytes | None]:
    """What the database compares, and the number sealed, for a block by phone.

    Raises `Unprocessable` for a value that does not fit the kind.
    """
    if kind is BlockKind.PHONE:
        phone = normal_phone(value, path="$.value")
        sealed = seal(keys, phone, table="block_phone", column="phone", row_id=block_id)
        return blind_index(keys, phone, purpose=PHONE).hex(), sealed
    if kind is BlockKind.CELL:
        return cell_of(value), None
    ids = value.split(",")
    if len(ids) != (2 if kind is BlockKind.PAIR else 1):
        raise Unprocessable("a person is given as their id, a pair as rider,customer", path="$.value")
    try:
        return " ".join(str(UUID(one.strip())) for one in ids), None
    except ValueError as error:
        raise Unprocessable("this is not an id", path="$.value") from error


def new_block_id() -> str:
    """A UUID of version 7, whose order follows time (RFC 9562 section 5.7): the number is sealed to its block."""
    milliseconds = time.time_ns() // 1_000_000
    return str(UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


def cell_of(value: str) -> str:
    """The square of a place `lat,lon`: hundredths of a degree, rounded down; about a kilometre."""
    try:
        lat, lon = (float(part) for part in value.split(","))
    except ValueError as error:
        raise Unprocessable("a cell is given as lat,lon", path="$.value") from error
    if not is_on_globe(lat, lon):
        raise Unprocessable("this is no place on the globe", path="$.value")
    return f"{math.floor(lat * 100)} {math.floor(lon * 100)}"


async def add(
    call: Call, *, kind: BlockKind, value: str, effect: BlockEffect, reason: str, expires_at: datetime
) -> dict[str, Any]:
    """Block until `expires_at`, at most a year. Raises `Conflict` for an administrator or oneself."""
    if not is_fitting(kind, effect):
        raise Unprocessable("two people are kept `apart`, and nobody else is", path="$.effect")
    now = datetime.now(UTC)
    if expires_at.tzinfo is None or not now < expires_at <= now + timedelta(days=LONGEST_DAYS):
        raise Unprocessable("a block ends within a year, with an offset from UTC", path="$.expires_at")
    block_id = new_block_id()
    subject, phone = subject_of(call.house.data_keys, kind, value, block_id=block_id)
    row = await create(
        call,
        blocks.ADD,
        block_id=block_id,
        kind=kind.value,
        subject=subject,
        phone=phone,
        effect=effect.value,
        reason=reason.strip(),
        expires_at=expires_at,
        context=said(call, reason),
    )
    if row is None:
        raise Conflict("neither an administrator nor you yourself can be blocked", code="block.protected")
    return row


async def lift(call: Call, *, reason: str) -> dict[str, Any]:
    """End a block early. Raises `NotFound`."""
    async with call.house.database.connection() as conn:
        text = await blocks.LIFT.value(conn, **call.ids, context=said(call, reason))
    if text is None:
        raise NotFound("there is no such block, or it has ended")
    call.house.nudge()
    return decode(text)


async def list_blocks(call: Call) -> dict[str, Any]:
    """A page of the blocks in force, newest first; `?kind=`."""
    async with call.house.database.connection() as conn:
        rows = await blocks.BLOCKS_PAGE.rows(conn, **filters_of(call))
    page, following = page_of([decode(row[0]) for row in rows], call.query.limit)
    return {"blocks": page, "next": following}
