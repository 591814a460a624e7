"""Carrying out a keyed write: one statement when all is well, two when something must be explained.

The statement compares, sets, and stores its answer, or does nothing. Nothing back means one of: the key was used
before, the thing does not exist for this principal, its version is another, its state does not allow the move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import orjson
import stamina

from db import idempotency
from db.connection import Database
from db.context import context
from db.scope import reach_values
from db.statement import Connection, Statement
from hub.domain.errors import Forbidden, KeyReused, NotFound, Refusal, StaleVersion, WrongState
from hub.domain.move import Machine
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call

COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
STATE = ("status", "state", "shift")
# What else a move asks for, told from the present row: why it was refused although the state allows it.
Unmet = Callable[[dict[str, Any]], Refusal]


def keyed(call: Call) -> dict[str, Any]:
    """The parameters that store the answer."""
    return {"principal_id": call.who.person_id, "key": call.key, "request_hash": call.request_hash}


def said(call: Call, reason: str | None = None) -> str:
    """The parameter `context` of a request: who acts, why, under which request."""
    return context(actor=call.who.person_id, reason=reason, request_id=call.request_id)


async def carry_out(
    call: Call, statement: Statement, *, entity: str, move: str, present: Statement, machine: Machine | None = None,
    because: str | None = None, target: dict[str, Any] | None = None, scope: dict[str, Any] | None = None,
    unmet: Unmet | None = None, **values: Any,
) -> dict[str, Any]:  # fmt: skip
    """Make `move` and give the moved row, whole.

    `target` are the parameters that name the row, in both statements; `scope` those that bound it, when they are not
    the reach of the route's permission. `because` goes to the audit when the statement takes no `reason`.

    Raises `KeyReused`, `NotFound`, `StaleVersion`, `WrongState`, or what `unmet` says of a move that the state allows.
    """
    target = target if target is not None else call.ids
    if call.reach.is_nowhere:
        raise Forbidden(f"your roles do not include {call.route.permission}")
    scope = scope if scope is not None else reach_values(call.reach)
    text = await attempt(
        call.house.database,
        statement,
        **target,
        **scope,
        version=call.expected_version,
        **keyed(call),
        context=said(call, because or values.get("reason")),
        **values,
    )
    if text is not None:
        call.house.nudge()
        return decode(text)
    async with call.house.database.connection() as connection:
        stored = await stored_answer(connection, call)
        if stored is not None:
            return stored
        row = await present.value(connection, **target, **scope)
    explain(call, entity, move, machine, row, unmet)
    raise AssertionError("explain always raises")


async def attempt(database: Database, statement: Statement, **values: Any) -> str | None:
    """Run the statement; None also when its key was used before. A deadlock's victim tries again."""
    async for once in stamina.retry_context(on=COLLISIONS, attempts=4, wait_initial=0.005, wait_max=0.1, timeout=5.0):
        with once:
            try:
                async with database.connection() as connection:
                    return await statement.value(connection, **values)  # type: ignore[no-any-return]
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name != idempotency.CONSTRAINT:
                    raise
    return None


async def stored_answer(connection: Connection, call: Call) -> dict[str, Any] | None:
    """The answer that the first request with this key got; None when the key is new. Raises `KeyReused`."""
    if call.key is None:
        return None
    stored = await idempotency.STORED.row(connection, principal_id=call.who.person_id, key=call.key)
    if stored is None:
        return None
    if stored["request_hash"] != call.request_hash:
        raise KeyReused("this Idempotency-Key was used for another request: make a fresh key for each action")
    return decode(stored["answer"])


def explain(
    call: Call, entity: str, move: str, machine: Machine | None, text: str | None, unmet: Unmet | None = None
) -> None:
    """Say why nothing happened. Always raises."""
    if text is None:
        raise NotFound(f"there is no such {entity}, or not for you")
    row = decode(text)
    seen = seen_by(call.principal, entity, row)
    status = next((str(row[name]) for name in STATE if name in row), "")
    legal = machine.legal_from(status) if machine is not None else ()
    if call.expected_version is not None and row["version"] != call.expected_version:
        raise StaleVersion(entity=entity, expected=call.expected_version, row=seen, version=row["version"], legal=legal)
    if unmet is not None and (machine is None or move in legal):
        raise unmet(row)
    raise WrongState(entity=entity, move=move, status=status, legal=legal, row=seen)


def decode(text: str) -> dict[str, Any]:
    """A row, or an answer, as the database wrote it."""
    value: dict[str, Any] = orjson.loads(text)
    return value
