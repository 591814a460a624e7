"""Sign-ins: opened, refreshed, listed and ended. Every other way to sign in ends in `open_session`.

open ──► access (10 min) + refresh token ──refresh──► access + next refresh token ──► …
                          └─ the same token again: within 30 s the same answer, later the session ends
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from db import auth, devices
from db.connection import Database
from db.context import context
from db.encryption import DataKeys
from db.statement import Connection, Record
from hub.auth.refresh import SHAPE, hash_of, new_token, seal, unseal
from hub.domain.errors import NotFound, Unauthenticated
from hub.domain.session import SessionKind
from hub.gateway.hashing import Hasher
from hub.gateway.tokens import KeyRing, issue_access, verify_demo_link

LONGEST_DEVICE = 100
LONGEST_AGENT = 200
REUSED = "a spent refresh token was shown again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """From where somebody signs in, for the list of sessions; `actor_id` is who acts, where it is somebody else."""

    ip: str = ""
    user_agent: str = ""
    request_id: str | None = None
    actor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """An open session with its first or next tokens. `expires_at` of the access token in seconds since 1970."""

    person_id: str
    name: str
    session_id: str
    access_token: str = field(repr=False)
    expires_at: int
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """What signing in needs. `send_text(phone, text)` reaches a phone; `access_seconds` is the life of a token."""

    database: Database
    ring: KeyRing
    data_keys: DataKeys
    hasher: Hasher
    send_text: Callable[[str, str], Awaitable[None]]
    access_seconds: int


async def create_session(
    conn: Connection,
    person_id: str,
    device: str,
    *,
    kind: SessionKind = SessionKind.MINTED,
    caller: Caller | None = None,
) -> tuple[str, str]:
    """Open a session of a person: (session_id, refresh_token). Raises `NotFound` for an unknown or disabled person."""
    token, caller = new_token(), caller or Caller()
    row = await auth.OPEN_SESSION.row(conn, person_id=person_id, **_opening(person_id, kind, device, token, caller))
    if row is None:
        raise NotFound("there is no such active person")
    return str(row["session_id"]), token


async def open_sessions(conn: Connection, person_ids: Iterable[str], *, device: str) -> dict[str, str]:
    """A session for each person who signs in without a way in: the city of a demo, a benchmark's load, a test.

    Session ids by person id, in one statement, 0.4 ms a person; a live session of the same `device` is used again.
    Raises `NotFound` for an unknown or disabled person.
    """
    wanted = sorted(set(person_ids))
    said = context(actor=device, reason="signed in: minted")
    rows = await auth.OPEN_MANY.rows(conn, person_ids=wanted, device=device[:LONGEST_DEVICE], context=said)
    opened = {row["person_id"]: row["session_id"] for row in rows}
    if len(opened) != len(wanted):
        raise NotFound("there is no such active person")
    return opened


def token_for(keeper: Doorkeeper, *, person_id: str, session_id: str) -> tuple[str, int]:
    """An access token of an open session, and when it expires."""
    return issue_access(keeper.ring, person_id=person_id, session_id=session_id, lifetime_seconds=keeper.access_seconds)


async def open_session(
    keeper: Doorkeeper, person_id: str, *, kind: SessionKind, device: str, caller: Caller, device_id: str | None = None
) -> SignIn:
    """Sign a person in, at a tablet perhaps, with which it ends. Raises `Unauthenticated` for one who cannot."""
    token = new_token()
    async with keeper.database.transaction() as conn:
        row = await auth.OPEN_SESSION.row(conn, person_id=person_id, **_opening(person_id, kind, device, token, caller))
        if row is not None and device_id is not None:
            is_there = await devices.OPENED_AT.run(conn, session_id=row["session_id"], device_id=device_id)
            if not is_there:
                raise Unauthenticated("this tablet was removed: pair it again", code="auth.revoked")
    return _signed_in(keeper, row, token)


async def redeem_demo_link(keeper: Doorkeeper, link: str, caller: Caller) -> tuple[SignIn, str]:
    """Spend a demo link: the sign-in and the screen it leads to. Raises `Unauthenticated` the second time."""
    says = verify_demo_link(keeper.ring, link)
    token = new_token()
    opening = _opening(says.person_id, SessionKind.DEMO, "demo link", token, caller)
    async with keeper.database.connection() as conn:
        row = await auth.OPEN_BY_DEMO_LINK.row(conn, person_id=says.person_id, token_id=says.token_id, **opening)
    return _signed_in(keeper, row, token), says.home


async def refresh(keeper: Doorkeeper, token: str, caller: Caller) -> SignIn:
    """Exchange a refresh token for the next pair; a lost answer is given again for 30 s.

    Raises `Unauthenticated`: `auth.reused` when a spent token came back, which ends its session; else `auth.invalid`.
    """
    if not SHAPE.fullmatch(token):
        raise _invalid()
    successor = new_token()
    async with keeper.database.connection() as conn:
        row = await auth.ROTATE.row(
            conn,
            hash=hash_of(token),
            successor=hash_of(successor),
            sealed=seal(successor, under=token),
            ip=caller.ip,
            user_agent=caller.user_agent[:LONGEST_AGENT],
        )
        if row is None:
            row = await auth.REISSUE.row(conn, hash=hash_of(token))
            if row is None:
                await _refuse_spent(conn, token, caller)
            else:
                successor = unseal(row["sealed"], under=token)
    return _signed_in(keeper, row, successor)


async def revoke(keeper: Doorkeeper, person_id: str, session_id: str, *, reason: str, caller: Caller) -> str:
    """End one of a person's sessions; its row as JSON text. Raises `NotFound` for another's or an ended one."""
    said = context(actor=person_id, reason=reason, request_id=caller.request_id)
    async with keeper.database.connection() as conn:
        row = await auth.REVOKE_SESSION.row(
            conn, session_id=session_id, person_id=person_id, reason=reason, context=said
        )
    if row is None:
        raise NotFound("there is no such session")
    return str(row["row"])


async def revoke_others(keeper: Doorkeeper, person_id: str, *, keep: str | None, reason: str, caller: Caller) -> int:
    """End every session of a person but `keep`; how many."""
    said = context(actor=person_id, reason=reason, request_id=caller.request_id)
    async with keeper.database.connection() as conn:
        return len(await auth.REVOKE_OTHERS.rows(conn, person_id=person_id, keep=keep, reason=reason, context=said))


async def list_sessions(keeper: Doorkeeper, person_id: str) -> list[dict[str, Any]]:
    """A person's live sessions, newest first, with where and when they were used last."""
    async with keeper.database.connection() as conn:
        rows = await auth.SESSIONS_OF.rows(conn, person_id=person_id)
    return [dict(row) | {"id": str(row["id"])} for row in rows]


def _opening(person_id: str, kind: SessionKind, device: str, token: str, caller: Caller) -> dict[str, Any]:
    return {
        "kind": kind.value,
        "device": device[:LONGEST_DEVICE],
        "hash": hash_of(token),
        "ip": caller.ip,
        "user_agent": caller.user_agent[:LONGEST_AGENT],
        "context": context(actor=person_id, reason=f"signed in: {kind.value}", request_id=caller.request_id),
    }


def _signed_in(keeper: Doorkeeper, row: Record | None, token: str) -> SignIn:
    if row is None:
        raise _invalid()
    person_id, session_id = str(row["person_id"]), str(row["session_id"])
    access_token, expires_at = token_for(keeper, person_id=person_id, session_id=session_id)
    return SignIn(
        person_id=person_id,
        name=row["name"],
        session_id=session_id,
        access_token=access_token,
        expires_at=expires_at,
        refresh_token=token,
    )


async def _refuse_spent(conn: Connection, token: str, caller: Caller) -> None:
    said = context(actor="gateway", reason=REUSED, request_id=caller.request_id)
    if await auth.REVOKE_REUSED.rows(conn, hash=hash_of(token), reason=REUSED, context=said):
        raise Unauthenticated("this sign-in was ended: its token was used twice", code="auth.reused")
    raise _invalid()


def _invalid() -> Unauthenticated:
    return Unauthenticated("this does not sign anybody in", code="auth.invalid")
