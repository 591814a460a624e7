"""What one worker knows of one topic: its recent changes, who follows it, and who is about to.

Offsets are dense within a topic. A ring keeps the last bodies as JSON, without the frame around them.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from hub.domain.topics import TopicKind
from hub.realtime.transport import Carrier

if TYPE_CHECKING:
    from hub.gateway.access import Access

MOST_BUFFERED = 5_000


class Joining:
    """A subscribe under way: what came since its registration waits here until the answer has left."""

    __slots__ = ("buffer", "is_lost")

    def __init__(self) -> None:
        self.buffer: list[tuple[int, bytes]] = []
        self.is_lost = False

    def take(self, numbered: tuple[int, bytes]) -> None:
        """Keep a change (offset, body); too many of them are given up, and the subscribe with them."""
        if len(self.buffer) < MOST_BUFFERED and not self.is_lost:
            self.buffer.append(numbered)
        else:
            self.is_lost = True
            self.buffer.clear()


class TopicState:
    """One topic of this worker: its recent changes, its live clients, and those that are joining.

    `access` is what following it takes, once somebody has asked: it is the same for every person.
    """

    __slots__ = ("access", "head", "joining", "kind", "live", "name", "ring")

    def __init__(self, name: str, kind: TopicKind, ring_changes: int) -> None:
        self.name = name
        self.kind = kind
        self.access: Access | None = None
        self.head: int | None = None
        self.ring: deque[tuple[int, bytes]] = deque(maxlen=ring_changes)
        self.live: dict[str, Carrier] = {}
        self.joining: dict[str, Joining] = {}

    def since(self, offset: int) -> list[bytes] | None:
        """The bodies of the changes offset+1 … head, from memory; None when the ring does not reach back so far."""
        if self.head is None or offset > self.head:
            return None
        if offset < self.head and (not self.ring or self.ring[0][0] > offset + 1):
            return None
        return [body for _, body in islice(reversed(self.ring), self.head - offset)][::-1]

    def reach_back(self, after: int, bodies: list[bytes]) -> None:
        """Keep what was read from the log for a client that resumed: changes after+1, after+2, … without a hole.

        After a restart all clients of a topic resume from about the same place; only the first asks the database.
        """
        first = self.ring[0][0] if self.ring else after + 1 + len(bodies)
        room = (self.ring.maxlen or 0) - len(self.ring)
        older = bodies[: max(0, first - after - 1)]
        if len(older) == first - after - 1 and (self.ring or self.head in {None, after + len(bodies)}):
            numbered = list(enumerate(older, after + 1))[-room:] if room else []
            self.ring.extendleft(reversed(numbered))
