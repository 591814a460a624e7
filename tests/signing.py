"""Signing in without a way in: whoever a test makes has one real session, opened where the person is made.

Session ids are remembered by person, so that a token can be minted anywhere without asking the database.
"""

from __future__ import annotations

from typing import Any

from hub.auth.sessions import open_sessions
from hub.gateway.tokens import issue_access, make_key_ring

_SESSIONS: dict[str, str] = {}


async def sign_in(conn: Any, *person_ids: str) -> None:
    """Open a session for each person."""
    _SESSIONS.update(await open_sessions(conn, person_ids, device="tests"))


def session_of(person_id: str) -> str:
    """The session that `sign_in` opened. Raises `KeyError`."""
    return _SESSIONS[person_id]


def token_for(person_id: str, *, secret: str, session_id: str | None = None, lifetime_seconds: int = 3600) -> str:
    """An access token of that session, or of the given one."""
    return issue_access(
        make_key_ring(secret),
        person_id=person_id,
        session_id=session_id or session_of(person_id),
        lifetime_seconds=lifetime_seconds,
    )[0]
