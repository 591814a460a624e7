"""Granting and taking roles: only within one's own reach, and never to oneself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from db import roles
from hub.domain.errors import Forbidden, NotFound, Unprocessable
from hub.domain.roles import OWN, OWN_ROLES, PERMISSIONS, Permission, Reach, Role
from hub.domain.topics import REGION
from hub.gateway.endpoint import Call
from hub.gateway.moves import attempt, decode, keyed, said, stored_answer
from hub.gateway.paging import page_of, page_query

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_scope(role: Role, scope: str) -> None:
    """Refuse a scope that is none, or that this role cannot have. Raises `Unprocessable`."""
    word, _, key = scope.partition(":")
    is_known = (
        scope in ("*", OWN)
        or (word == "kitchen" and UUID_TEXT.fullmatch(key))
        or (word == "region" and REGION.match(key))
    )
    if not is_known:
        raise Unprocessable("a scope is *, own, region:<name> or kitchen:<id>", code="role.scope", path="$.scope")
    if (scope == OWN) != (role in OWN_ROLES):
        raise Unprocessable(f"a {role} cannot have the scope {scope}", code="role.scope", path="$.scope")


def scopes_within(reach: Reach) -> dict[str, Any]:
    """The parameters that hold a statement within the grantor's reach."""
    scopes = [f"kitchen:{kitchen_id}" for kitchen_id in reach.kitchen_ids] + [
        f"region:{name}" for name in reach.regions
    ]
    return {"everywhere": reach.everywhere, "scopes": scopes}


async def grant(call: Call, *, person_id: str, role: Role, scope: str, expires_at: datetime | None) -> dict[str, Any]:
    """Grant a role, or give a grant another end. Raises `Forbidden` for oneself, or outside one's own reach."""
    check_scope(role, scope)
    if person_id == call.who.person_id:
        raise Forbidden("nobody grants roles to themselves", code="role.to_oneself")
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= datetime.now(UTC)):
        raise Unprocessable("a grant ends in the future, with an offset from UTC", path="$.expires_at")
    within = scopes_within(call.reach)
    if not within["everywhere"] and scope not in within["scopes"]:
        raise Forbidden("this scope is outside your own", code="role.outside_reach")
    own = keyed(call)
    text = await attempt(
        call.house.database,
        roles.GRANT,
        **within,
        person_id=person_id,
        actor_id=call.who.person_id,
        role=role.value,
        scope=scope,
        expires_at=expires_at,
        key=own["key"],
        request_hash=own["request_hash"],
        context=said(call, f"granted {role} {scope}"),
    )
    if text is None:
        async with call.house.database.connection() as conn:
            stored = await stored_answer(conn, call)
        if stored is None:
            raise NotFound("there is no such active person")
        return stored
    _tell(call, person_id)
    return decode(text)


async def take(call: Call) -> dict[str, Any]:
    """Take a grant away: requests are refused and topics closed within two seconds. Raises `NotFound`."""
    async with call.house.database.connection() as conn:
        text = await roles.TAKE.value(
            conn, **call.ids, **scopes_within(call.reach), context=said(call, "taken by the administration")
        )
    if text is None:
        raise NotFound("there is no such grant, or not for you")
    row = decode(text)
    _tell(call, row["person_id"])
    return row


async def list_grants(call: Call) -> dict[str, Any]:
    """A page of grants, newest first; `?person_id=`, `?role=`."""
    query = page_query(call, texts=("role",), ids=("person_id",))
    async with call.house.database.connection() as conn:
        rows = await roles.GRANTS_PAGE.rows(conn, **scopes_within(call.reach), **query.filters, after=query.after)
    page, following = page_of([decode(row[0]) for row in rows], query.limit)
    return {"grants": page, "next": following}


def role_table() -> dict[str, list[str]]:
    """Which role has which permissions, as the house enforces it."""
    return {role.value: [p.value for p in Permission if p in PERMISSIONS[role]] for role in Role}


def _tell(call: Call, person_id: str) -> None:
    call.house.authority.forget(person_id)
    call.house.nudge()
