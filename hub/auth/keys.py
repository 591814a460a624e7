"""Keys of integrators: made once, shown once, exchanged for short access tokens, revoked at once."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from db import api_keys
from db.encryption import blind_index
from hub.auth.sessions import Doorkeeper, token_for
from hub.domain.errors import Forbidden, NotFound, Unauthenticated
from hub.domain.roles import Role
from hub.gateway.creating import create
from hub.gateway.endpoint import Call
from hub.gateway.moves import decode, said
from hub.gateway.scopes import check_scope

PREFIX = "hpk_"
SHAPE = re.compile(r"hpk_[A-Za-z0-9_-]{43}")
HINT_SIGNS = 8


async def add(call: Call, *, name: str, scopes: list[str], days: int) -> dict[str, Any]:
    """Make a key for some scopes; `key` is told only in this answer, and alike when the request is repeated."""
    check_everywhere(call)
    for number, scope in enumerate(scopes):
        check_scope(Role.INTEGRATOR, scope, path=f"$.scopes[{number}]")
    key = _key_of(call)
    row = await create(
        call,
        api_keys.ADD,
        name=name,
        scopes=scopes,
        hash=hash_of(key),
        hint=key[:HINT_SIGNS],
        expires_at=datetime.now(UTC) + timedelta(days=days),
        context=said(call, f"made the key {name}"),
    )
    if row is None:
        raise NotFound("the key could not be made")
    return row | {"key": key}


async def exchange(keeper: Doorkeeper, key: str) -> tuple[str, int]:
    """An access token for a key, and when it expires. Raises `Unauthenticated`."""
    row = None
    if SHAPE.fullmatch(key):
        async with keeper.database.connection() as conn:
            row = await api_keys.EXCHANGE.row(conn, hash=hash_of(key))
    if row is None:
        raise Unauthenticated("this key is unknown, expired or revoked", code="key.wrong")
    return token_for(keeper, person_id=row["person_id"], session_id=row["session_id"])


async def revoke(call: Call) -> dict[str, Any]:
    """Revoke a key: its tokens and sockets end. Raises `NotFound`."""
    check_everywhere(call)
    async with call.house.database.connection() as conn:
        text = await api_keys.REVOKE.value(conn, **call.ids, context=said(call, "revoked the key"))
    if text is None:
        raise NotFound("there is no such key")
    row = decode(text)
    call.house.authority.forget(row["person_id"])
    call.house.nudge()
    return row


async def list_keys(call: Call) -> list[dict[str, Any]]:
    """The keys in force, newest first; the keys themselves are known to nobody."""
    check_everywhere(call)
    async with call.house.database.connection() as conn:
        return [decode(row[0]) for row in await api_keys.API_KEYS.rows(conn)]


def check_everywhere(call: Call) -> None:
    """Keys belong to no kitchen. Raises `Forbidden`."""
    if not call.reach.everywhere:
        raise Forbidden(f"this takes {call.route.permission} with the scope *")


def hash_of(key: str) -> bytes:
    """What the database knows the key by."""
    return hashlib.sha256(key.encode()).digest()


def _key_of(call: Call) -> str:
    """256 bits drawn by the request's own key, so that a repeated request is answered alike and nothing is stored."""
    drawn = blind_index(call.house.data_keys, f"{call.who.person_id}{call.key}", purpose="api key")
    return PREFIX + urlsafe_b64encode(drawn).decode().rstrip("=")
