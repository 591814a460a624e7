"""Who somebody is and what they are granted: read from the database, kept fresh by the changes themselves.

Invariant: what `principal()` returns is never older than the last change of authority that this worker has passed, and
never older than `FRESH_SECONDS`, so that a right that was taken away is refused within two seconds even while the
pipeline is silent.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

import orjson

from db import people
from db.connection import Database
from hub.domain.errors import Unauthenticated
from hub.domain.roles import Grant, Principal, Role

FRESH_SECONDS = 1.5
MOST_PRINCIPALS = 50_000


def read_grant(row: dict[str, object]) -> Grant:
    """A grant from its row as JSON."""
    expires_at = row["expires_at"]
    return Grant(
        role=Role(str(row["role"])),
        scope=str(row["scope"]),
        expires_at=datetime.fromisoformat(str(expires_at)) if expires_at else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A person as read at `read_at` (monotonic seconds): the grants by id, and the sessions that were ended lately."""

    read_at: float
    name: str
    grants: dict[str, Grant]
    ended_sessions: frozenset[str]


class Authority:
    """The principals that this worker has met lately."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._generation: dict[str, int] = {}

    def forget(self, person_id: str) -> None:
        """A change of this person's authority has passed: the next request reads anew."""
        self._known.pop(person_id, None)
        if person_id in self._generation:
            self._generation[person_id] += 1

    async def principal(self, person_id: str, session_id: str, expires_at: float | None) -> Principal:
        """The person with the grants that hold now. Raises `Unauthenticated` for an unknown one or an ended session.

        No statement when the person was read within the last 1.5 s and nothing changed, else one.
        """
        known = self._known.get(person_id)
        if known is None or time.monotonic() - known.read_at > FRESH_SECONDS:
            known = await self._read(person_id)
            self._known[person_id] = known
            self._known.move_to_end(person_id)
            if len(self._known) > MOST_PRINCIPALS:
                self._known.popitem(last=False)
        if session_id in known.ended_sessions:
            raise Unauthenticated("this sign-in was ended: sign in again", code="auth.revoked")
        return Principal(
            person_id=person_id,
            session_id=session_id,
            name=known.name,
            grants=tuple(known.grants.values()),
            expires_at=expires_at,
        )

    def grants_of(self, person_id: str) -> dict[str, Grant]:
        """The grants, by id, of a person whose principal was just asked for."""
        known = self._known.get(person_id)
        return {} if known is None else known.grants

    async def _read(self, person_id: str) -> Known:
        """Read until no change of this person's authority came between."""
        self._generation.setdefault(person_id, 0)
        try:
            while True:
                before = self._generation[person_id]
                read_at = time.monotonic()
                async with self._database.connection() as connection:
                    row = await people.AUTHORITY.row(connection, person_id=person_id)
                if self._generation.get(person_id, before) == before:
                    break
        finally:
            self._generation.pop(person_id, None)
        if row is None:
            raise Unauthenticated("this account does not exist or is disabled", code="auth.invalid")
        return Known(
            read_at=read_at,
            name=row["name"],
            grants={grant["id"]: read_grant(grant) for grant in orjson.loads(row["grants"])},
            ended_sessions=frozenset(row["ended"]),
        )
