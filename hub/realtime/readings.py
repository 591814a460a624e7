"""Which sessions are alive: Engine.IO pings, and the time a client has to join a namespace.

opened ─▶ ping after the interval ─▶ pong within the time-out ─▶ ping after the interval …
                                 └─▶ no pong: "ping timeout"
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.realtime import frames
from hub.realtime.deadlines import Deadlines, Lane
from hub.realtime.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client may be silent."""

    ping_interval_seconds: float
    ping_timeout_seconds: float
    connect_timeout_seconds: float
    upgrade_timeout_seconds: float


class Heartbeat:
    """Pings every session of a server, on its one timer."""

    def __init__(self, patience: Patience, deadlines: Deadlines) -> None:
        self._patience = patience
        self._now = deadlines.now
        self._pings: Lane[Session] = deadlines.lane(patience.ping_interval_seconds, self._ping)
        self._pongs: Lane[Session] = deadlines.lane(patience.ping_timeout_seconds, self.end_if_silent)
        self._connects: Lane[Session] = deadlines.lane(patience.connect_timeout_seconds, self._end_if_nowhere)

    def opened(self, session: Session) -> None:
        """A session begins."""
        self._pings.add(session)
        self._connects.add(session)

    def ponged(self, session: Session) -> None:
        """A session has answered; a pong that nobody asked for changes nothing."""
        if session.pong_due is not None:
            session.pong_due = None
            self._pings.add(session)

    def expect_connect(self, session: Session) -> None:
        """Gives a client that has left its last namespace the time to join another."""
        self._connects.add(session)

    def end_if_silent(self, session: Session) -> None:
        """Ends a session whose pong is overdue."""
        due = session.pong_due
        if due is not None and due <= self._now():
            session.end("ping timeout", code=frames.GOING_AWAY, closing="ping_timeout")

    def _ping(self, session: Session) -> None:
        if not session.closed:
            session.ping(pong_due=self._now() + self._patience.ping_timeout_seconds)
            self._pongs.add(session)

    def _end_if_nowhere(self, session: Session) -> None:
        if not session.members:
            session.end("transport close", code=frames.POLICY, told="no namespace was joined in time")
