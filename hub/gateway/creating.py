"""Carrying out a keyed POST that makes something: made once, answered alike however often it is asked for."""

from __future__ import annotations

from typing import Any

import asyncpg

from db.statement import Statement
from hub.gateway.endpoint import Call
from hub.gateway.moves import attempt, decode, keyed, stored_answer


async def create(call: Call, statement: Statement, **values: Any) -> dict[str, Any] | None:
    """The row that `statement` makes, or made when this key came first; None when it makes none. Raises `KeyReused`.

    One statement; two for a repeated request. Any other uniqueness that is violated is passed on.
    """
    try:
        text = await attempt(call.house.database, statement, **keyed(call), **values)
    except asyncpg.UniqueViolationError:
        # What the key itself draws (a code, a key) collides with its first use before the key does.
        stored = await _stored(call)
        if stored is None:
            raise
        return stored
    if text is None:
        return await _stored(call)
    call.house.nudge()
    return decode(text)


async def _stored(call: Call) -> dict[str, Any] | None:
    async with call.house.database.connection() as connection:
        return await stored_answer(connection, call)
