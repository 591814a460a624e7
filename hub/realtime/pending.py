"""Sessions that are open but in no namespace yet, by client address: what a crowd that never joins may hold here.

Invariant: a session is pending from its handshake until a namespace lets it in or it ends, and again after it has
left its last namespace; the connect time-out ends whoever stays, so an address gets its places back by itself.
Sockets that have joined are counted elsewhere, over all workers (occupancy.py).
"""

from __future__ import annotations

from hub.realtime.session import Session


class Pending:
    """The pending sessions of one worker."""

    def __init__(self, most_per_address: int) -> None:
        self._most_per_address = most_per_address
        self._of_address: dict[str, set[Session]] = {}

    def is_full_at(self, address: str) -> bool:
        """Whether the address has as many pending sessions as it may."""
        return len(self._of_address.get(address, ())) >= self._most_per_address

    def add(self, session: Session) -> None:
        """A session has opened, or has left its last namespace."""
        self._of_address.setdefault(session.address, set()).add(session)

    def discard(self, session: Session) -> None:
        """A session has joined or ended; one that was not pending changes nothing."""
        sessions = self._of_address.get(session.address)
        if sessions is None:
            return
        sessions.discard(session)
        if not sessions:
            del self._of_address[session.address]
