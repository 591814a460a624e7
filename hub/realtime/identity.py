"""Who a socket is: by an access token, by the token of a paired tablet, or by an order's tracking link.

    {token} ─► person      {device} ─► tablet ──authenticate with a token that was opened at it──► cook, and back

Invariant: a socket changes its person only at a tablet, and only to somebody who signed in at that very tablet.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from db import devices, orders
from db.connection import Database
from db.context import context
from hub.domain.errors import Forbidden, Unauthenticated
from hub.domain.roles import Principal
from hub.gateway.authority import Authority
from hub.gateway.tokens import Verified
from hub.realtime.sockets import LiveSocket

STRANGER = "00000000-0000-0000-0000-000000000000"
LONGEST_TOKEN = 100  # of the opaque ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Whom a socket's credentials stand for, before anybody has looked at what that person may do.

    `expires_at` in seconds since 1970, None where nothing runs out: at a tablet, and for a tracking link.
    """

    person_id: str = STRANGER
    session_id: str = ""
    expires_at: float | None = None
    device_id: str | None = None
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """Finds out who is there; made once per worker."""

    database: Database
    authority: Authority
    verified: Verified

    async def of(self, auth: Any) -> Arrival:
        """Whom `auth: {token} | {device} | {tracking}` stands for. Raises `Unauthenticated`. At most one statement."""
        told = auth if isinstance(auth, dict) else {}
        if isinstance(told.get("token"), str):
            claims = self.verified.access(told["token"])
            return Arrival(person_id=claims.person_id, session_id=claims.session_id, expires_at=claims.expires_at)
        if isinstance(told.get("device"), str):
            return await self._by_device(told["device"])
        if isinstance(told.get("tracking"), str):
            return await self._by_tracking(told["tracking"])
        raise Unauthenticated("connect with auth: {token}, {device} or {tracking}")

    async def principal(self, who: Arrival) -> Principal:
        """What they may do now. Raises `Unauthenticated` without a live sign-in. At most one statement."""
        if who.order_id is not None:
            return Principal(person_id=STRANGER, order_id=who.order_id)
        return await self.authority.principal(who.person_id, who.session_id, who.expires_at)

    async def again(self, socket: LiveSocket, token: str) -> Principal:
        """Who a live socket is from now on. Raises `Forbidden` for another person, but at a tablet for its people."""
        claims = self.verified.access(token)
        if claims.person_id != socket.principal.person_id:
            async with self.database.connection() as conn:
                is_here = socket.device_id is not None and await devices.IS_OPENED_AT.value(
                    conn, session_id=claims.session_id, device_id=socket.device_id
                )
            if not is_here:
                raise Forbidden("this socket belongs to somebody else: open another one")
        return await self.authority.principal(claims.person_id, claims.session_id, claims.expires_at)

    async def _by_device(self, token: str) -> Arrival:
        row = None
        if len(token) <= LONGEST_TOKEN:
            said = context(actor="tablet", reason="the tablet came back")
            async with self.database.connection() as conn:
                row = await devices.ENTER.row(conn, token_hash=_digest(token), context=said)
        if row is None:
            raise Unauthenticated("this tablet is not paired, or was removed: pair it again", code="auth.invalid")
        return Arrival(person_id=row["person_id"], session_id=row["session_id"], device_id=row["id"])

    async def _by_tracking(self, token: str) -> Arrival:
        async with self.database.connection() as conn:
            order_id = await orders.TRACKED.value(conn, token_hash=_digest(token))
        if order_id is None:
            raise Unauthenticated("this tracking link is not known, or no longer", code="auth.invalid")
        return Arrival(order_id=order_id)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
