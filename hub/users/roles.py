"""Granting and taking roles: only within one's own reach, and never to oneself."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from db import roles
from hub.domain.errors import Forbidden, NotFound, Unprocessable
from hub.domain.roles import PERMISSIONS, Permission, Reach, Role
from hub.gateway.creating import create
from hub.gateway.endpoint import Call
from hub.gateway.moves import decode, said
from hub.gateway.paging import filters_of, page_of
from hub.gateway.scopes import check_scope


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
    row = await create(
        call,
        roles.GRANT,
        **within,
        person_id=person_id,
        role=role.value,
        scope=scope,
        expires_at=expires_at,
        context=said(call, f"granted {role} {scope}"),
    )
    if row is None:
        raise NotFound("there is no such active person")
    call.house.authority.forget(person_id)
    return row


async def take(call: Call) -> dict[str, Any]:
    """Take a grant away: requests are refused and topics closed within two seconds. Raises `NotFound`."""
    async with call.house.database.connection() as conn:
        text = await roles.TAKE.value(
            conn, **call.ids, **scopes_within(call.reach), context=said(call, "taken by the administration")
        )
    if text is None:
        raise NotFound("there is no such grant, or not for you")
    row = decode(text)
    call.house.authority.forget(row["person_id"])
    call.house.nudge()
    return row


async def list_grants(call: Call) -> dict[str, Any]:
    """A page of grants, newest first; `?person_id=`, `?role=`."""
    async with call.house.database.connection() as conn:
        rows = await roles.GRANTS_PAGE.rows(conn, **scopes_within(call.reach), **filters_of(call))
    page, following = page_of([decode(row[0]) for row in rows], call.query.limit)
    return {"grants": page, "next": following}


@cache
def role_table() -> dict[str, list[str]]:
    """Which role has which permissions, as the house enforces it; not to be changed."""
    return {role.value: [p.value for p in Permission if p in PERMISSIONS[role]] for role in Role}
