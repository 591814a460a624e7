"""Who somebody is, what is granted and whether the sign-in holds: read once, kept fresh by the changes themselves.

Invariant: what `principal()` returns is never older than the last change of authority that this worker has passed, and
never older than `FRESH_SECONDS`, so that a right that was taken away is refused within two seconds even while the
pipeline is silent. A session that is not in the database, or is somebody else's, is no sign-in, however well its token
is signed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from db import people
from db.connection import Database
from hub.domain.errors import Unauthenticated
from hub.domain.roles import Grant, Place, Principal, Role, at_tablet

FRESH_SECONDS = 1.5
MOST_PRINCIPALS = 50_000
# Sessions of one person that are remembered at a time.
MOST_SESSIONS = 100


def read_grant(row: dict[str, object]) -> Grant:
    """A grant from its row as JSON."""
    expires_at = row["expires_at"]
    return Grant(
        role=Role(str(row["role"])),
        scope=str(row["scope"]),
        expires_at=datetime.fromisoformat(str(expires_at)) if expires_at else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A session: whether it is live, and the kitchen at whose tablet it was opened, where it was."""

    is_live: bool
    kitchen: Place | None

    def allows(self, grant: Grant) -> Grant | None:
        """What a grant gives in this session."""
        return grant if self.kitchen is None else at_tablet(grant, self.kitchen)


def read_standing(row: dict[str, Any]) -> Standing:
    """A session's standing from its row as JSON."""
    kitchen = Place(kitchen_id=row["kitchen_id"], region=row["region"]) if row["kitchen_id"] else None
    return Standing(is_live=row["is_live"], kitchen=kitchen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A person as read at `read_at` (monotonic seconds): the grants by id, and the sessions that were asked about.

    A session is None where the person has none of this id.
    """

    read_at: float
    name: str
    grants: dict[str, Grant]
    sessions: dict[str, Standing | None]

    @property
    def is_fresh(self) -> bool:
        """True while nothing that was read can be too old."""
        return time.monotonic() - self.read_at <= FRESH_SECONDS


@dataclass(slots=True, eq=False)
class Reading:
    """A read that is under way; a change of the person's authority that passes meanwhile spoils it."""

    is_spoilt: bool = False


class Authority:
    """The principals that this worker has met lately."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._readings: dict[str, list[Reading]] = {}

    def forget(self, person_id: str) -> None:
        """A change of this person's authority has passed: the next request reads anew."""
        self._known.pop(person_id, None)
        for reading in self._readings.get(person_id, ()):
            reading.is_spoilt = True

    async def principal(self, person_id: str, session_id: str, expires_at: float | None) -> Principal:
        """The person with the grants that hold now. Raises `Unauthenticated` without such a person or a live session.

        No statement when this sign-in was read within the last 1.5 s and nothing changed, else one, for all sign-ins
        of the person that were met lately. `session_id` must be a UUID: `verify_access` takes no other.
        """
        known = self._known.get(person_id)
        if known is None or session_id not in known.sessions or not known.is_fresh:
            known = await self._read(person_id, _asked(known, session_id))
            self._known[person_id] = known
            self._known.move_to_end(person_id)
            if len(self._known) > MOST_PRINCIPALS:
                self._known.popitem(last=False)
        standing = known.sessions[session_id]
        if standing is None:
            raise Unauthenticated("no sign-in belongs to this token: sign in again", code="auth.session_unknown")
        if not standing.is_live:
            raise Unauthenticated("this sign-in was ended: sign in again", code="auth.revoked")
        return Principal(
            person_id=person_id,
            session_id=session_id,
            name=known.name,
            grants=tuple(_allowed(known, standing).values()),
            expires_at=expires_at,
        )

    def grants_of(self, person_id: str, session_id: str) -> dict[str, Grant]:
        """The grants, by id, of a sign-in whose principal was just asked for."""
        known, standing = self._known.get(person_id), self.standing_of(person_id, session_id)
        return {} if known is None or standing is None else _allowed(known, standing)

    def standing_of(self, person_id: str, session_id: str) -> Standing | None:
        """The standing of a sign-in whose principal was just asked for."""
        known = self._known.get(person_id)
        return None if known is None else known.sessions.get(session_id)

    async def _read(self, person_id: str, session_ids: list[str]) -> Known:
        """Read until no change of this person's authority came between."""
        reading = Reading(is_spoilt=True)
        self._readings.setdefault(person_id, []).append(reading)
        try:
            while reading.is_spoilt:
                reading.is_spoilt = False
                read_at = time.monotonic()
                async with self._database.connection() as connection:
                    row = await people.AUTHORITY.row(connection, person_id=person_id, session_ids=session_ids)
        finally:
            self._readings[person_id].remove(reading)
            if not self._readings[person_id]:
                del self._readings[person_id]
        if row is None:
            raise Unauthenticated("this account does not exist or is disabled", code="auth.invalid")
        return Known(
            read_at=read_at,
            name=row["name"],
            grants={grant["id"]: read_grant(grant) for grant in orjson.loads(row["grants"])},
            sessions=dict.fromkeys(session_ids)
            | {session_id: read_standing(one) for session_id, one in orjson.loads(row["sessions"]).items()},
        )


def _allowed(known: Known, standing: Standing) -> dict[str, Grant]:
    """The grants, by id, as far as they reach in a session."""
    if standing.kitchen is None:
        return known.grants
    allowed = {grant_id: standing.allows(grant) for grant_id, grant in known.grants.items()}
    return {grant_id: grant for grant_id, grant in allowed.items() if grant is not None}


def _asked(known: Known | None, session_id: str) -> list[str]:
    """The session to ask about, and with it those that were met lately: one statement for all of a person's tabs."""
    if known is None:
        return [session_id]
    others = [
        one
        for one, standing in known.sessions.items()
        if one != session_id and (known.is_fresh or (standing is not None and standing.is_live))
    ]
    return [session_id, *others[-MOST_SESSIONS:]]
