"""The fan-out: who of this worker's clients follows which topic, and the bytes that go to them.

One encoding of a topic's change, the same bytes to every local client; all that is ready together for one client goes
out in one write.
Everything here is synchronous: between two awaits of anybody else a worker stands at exactly one `pos`.

Invariant: frames leave in the total order. A change of authority first flushes what came before it, then takes topics
away: nothing after its place reaches the socket that lost the right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hub.domain.topics import TopicKind
from hub.observability import logs, metrics
from hub.realtime.changes import Change
from hub.realtime.frames import change_frame, event_frame
from hub.realtime.tallies import Tallies

if TYPE_CHECKING:
    from hub.gateway.access import Access

LOG = logs.get(__name__)
# Changes of these entities may close topics.
AUTHORITY = frozenset({"grant", "session", "user"})
MOST_BUFFERED = 5_000


class Client(Protocol):
    """What the fan-out needs of a connection."""

    def write(self, frame: bytes) -> bool:
        """Queue a frame; False when the client is gone or over its bound."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Cut the connection, telling why."""
        ...


class Joining:
    """A subscribe under way: what came since its registration waits here until the answer has left."""

    __slots__ = ("buffer", "is_lost")

    def __init__(self) -> None:
        self.buffer: list[tuple[int, bytes]] = []
        self.is_lost = False


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
        self.live: dict[str, Client] = {}
        self.joining: dict[str, Joining] = {}

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


class Fanout:
    """All topics of one worker. `on_change` hears every change of authority or delivery, at its place."""

    def __init__(self, *, ring_changes: int, on_change: Callable[[Change], None]) -> None:
        self._ring_changes = ring_changes
        self._on_change = on_change
        self.topics: dict[str, TopicState] = {}
        self._of_client: dict[str, set[str]] = {}
        self._dropped: dict[str, set[str]] = {}
        self._tallies = Tallies()

    def topic(self, name: str, kind: TopicKind) -> TopicState:
        """The topic, made when nobody here knew it."""
        state = self.topics.get(name)
        if state is None:
            state = self.topics[name] = TopicState(name, kind, self._ring_changes)
        return state

    def join(self, state: TopicState, sid: str) -> Joining:
        """Register before the present state is read: from now on nothing is missed. Ends an earlier subscription."""
        state.live.pop(sid, None)
        joining = state.joining[sid] = Joining()
        self._of_client.setdefault(sid, set()).add(state.name)
        return joining

    def go_live(self, state: TopicState, sid: str, client: Client, *, after: int) -> bool:
        """Write what waited beyond offset `after`, and follow from now on. False: the join was superseded or lost."""
        joining = state.joining.pop(sid, None)
        if joining is None or joining.is_lost:
            return False
        state.head = max(state.head or 0, after)
        frames = [change_frame(body) for offset, body in joining.buffer if offset > after]
        if frames and not client.write(b"".join(frames)):
            self._drop(state, sid)
        else:
            state.live[sid] = client
        return True

    def leave(self, name: str, sid: str) -> bool:
        """End a client's subscription; True when there was one."""
        topics = self._of_client.get(sid)
        if topics is None or name not in topics:
            return False
        topics.discard(name)
        if not topics:
            del self._of_client[sid]
        self._dropped.get(sid, set()).discard(name)
        self._forget(name, sid)
        return True

    def leave_all(self, sid: str) -> None:
        """The client is gone: O(its own topics)."""
        self._dropped.pop(sid, None)
        for name in self._of_client.pop(sid, ()):
            self._forget(name, sid)

    def topics_of(self, sid: str) -> frozenset[str]:
        """The topics that a client follows or is joining."""
        return frozenset(self._of_client.get(sid, ()))

    def _forget(self, name: str, sid: str) -> None:
        state = self.topics.get(name)
        if state is None:
            return
        state.live.pop(sid, None)
        state.joining.pop(sid, None)
        if not state.live and not state.joining:
            del self.topics[name]

    def deliver(self, epoch: int, changes: list[Change]) -> None:
        """Bring a batch to the clients. The caller gives each change once, by rising `pos`."""
        waiting: dict[str, list[bytes]] = {}
        frames = 0
        for change in changes:
            for name, offset, op in change.places:
                state = self.topics.get(name)
                if state is not None:
                    self._place(state, change, epoch, offset, op, waiting)
            if change.entity in AUTHORITY or change.entity == "delivery":
                frames += self._flush(waiting)
                self._on_change(change)
        frames += self._flush(waiting)
        if changes:
            self._tallies.delivered(len(changes), frames, written_at=changes[0].at)

    def _place(
        self, state: TopicState, change: Change, epoch: int, offset: int, op: str, waiting: dict[str, list[bytes]]
    ) -> None:
        body = change.body(state.name, state.kind, epoch, offset, op)
        if body is None:
            # The database put an entity where no view shows it: clients see the hole, take a snapshot, nobody stalls.
            LOG.error("no view", entity=change.entity, kind=state.kind)
            metrics.UNSEEN.labels(state.kind).inc()
            state.ring.clear()
            state.head = offset
            return
        state.ring.append((offset, body))
        state.head = offset
        if state.live:
            waiting.setdefault(state.name, []).append(change_frame(body))
        for joining in state.joining.values():
            joining.buffer.append((offset, body))
            if len(joining.buffer) > MOST_BUFFERED:
                joining.is_lost = True
                joining.buffer.clear()

    def _flush(self, waiting: dict[str, list[bytes]]) -> int:
        """One write per client for all that is ready; how many frames left."""
        ready: dict[Client, list[bytes]] = {}
        count = 0
        for name, frames in waiting.items():
            state = self.topics.get(name)
            if state is None:
                continue
            joined = frames[0] if len(frames) == 1 else b"".join(frames)
            count += len(frames) * len(state.live)
            for client in state.live.values():
                if client in ready:
                    ready[client].append(joined)
                else:
                    ready[client] = [joined]
        refused = {client for client, parts in ready.items() if not client.write(b"".join(parts))}
        if refused:
            self._drop_clients(refused, list(waiting))
        waiting.clear()
        return count

    def _drop_clients(self, refused: set[Client], names: list[str]) -> None:
        for state in [self.topics[name] for name in names if name in self.topics]:
            for sid in [sid for sid, client in state.live.items() if client in refused]:
                self._drop(state, sid)

    def _drop(self, state: TopicState, sid: str) -> None:
        """A client that does not drain loses this topic until it does; nobody else waits for it."""
        state.live.pop(sid, None)
        self._dropped.setdefault(sid, set()).add(state.name)
        metrics.SLOW_CLIENTS.inc()

    def drained(self, sid: str, client: Client) -> None:
        """A slow client has caught up: tell it which topics to take up again."""
        for name in self._dropped.pop(sid, ()):
            client.write(resync_frame(name))

    def renew(self) -> None:
        """History was replaced: every client takes a new snapshot."""
        for state in self.topics.values():
            frame = resync_frame(state.name)
            for sid, client in state.live.items():
                if not client.write(frame):
                    self._dropped.setdefault(sid, set()).add(state.name)
            for joining in state.joining.values():
                joining.is_lost = True
            state.live.clear()
            state.ring.clear()
            state.head = None


def resync_frame(topic: str) -> bytes:
    """The server dropped what it had queued for this client: subscribe again from the last offset."""
    return event_frame("resync", b'{"topic":"%b"}' % topic.encode())
