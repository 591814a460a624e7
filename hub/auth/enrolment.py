"""Adding a person from the command line: the account, its role, the rider's record, and on wish a first sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from db.connection import connect
from db.context import context
from db.people import enrol
from db.riders import ADD_RIDER
from hub.auth.sessions import create_session
from hub.domain.roles import Role
from hub.gateway.tokens import KeyRing, issue_access


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Who is added. `region` places a rider; `scope` bounds the role."""

    name: str
    role: Role
    scope: str
    locale: str = "en"
    region: str | None = None


async def add_newcomer(database_url: str, who: Newcomer, *, ring: KeyRing | None, token_seconds: int) -> dict[str, Any]:
    """Add the person in one transaction: `{person_id}`, and given a ring the tokens of a first sign-in.

    Raises `ValueError` for a rider without a region of kitchens, asyncpg's `CheckViolationError` for what is no scope.
    """
    if who.role is Role.RIDER and who.region is None:
        raise ValueError("a rider works in a region: give --region NAME")
    said = context(actor="command line")
    connection = await connect(database_url, application="hotpass users")
    try:
        async with connection.transaction():
            person_id = await enrol(
                connection, name=who.name, locale=who.locale, role=who.role, scope=who.scope, context=said
            )
            if who.role is Role.RIDER:
                added = await ADD_RIDER.run(
                    connection, rider_id=person_id, region=who.region, name=who.name.split()[0], context=said
                )
                if not added:
                    raise ValueError(f"there is no kitchen in {who.region!r}: a rider works where kitchens are")
            if ring is None:
                return {"person_id": person_id}
            session_id, refresh_token = await create_session(connection, person_id, "command line")
    finally:
        await connection.close()
    token, expires_at = issue_access(ring, person_id=person_id, session_id=session_id, lifetime_seconds=token_seconds)
    return {
        "person_id": person_id, "access_token": token, "expires_at": expires_at, "refresh_token": refresh_token,
    }  # fmt: skip
