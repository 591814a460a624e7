"""The fan-out: who of this worker's clients follows which topic, and the bytes that go to them.

One encoding of a topic's change, the same bytes to every local client; all that is ready together for one client goes
out in one write, or in several when it is long: whoever does not take them all is told `resync` when it has drained.
Everything here is synchronous: between two awaits of anybody else a worker stands at exactly one `pos`.

Invariant: frames leave in the total order. A change of authority first flushes what came before it, then takes topics
away: nothing after its place reaches the socket that lost the right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from hub.domain.topics import TopicKind
from hub.observability import logs, metrics
from hub.realtime.bound import MOST_WRITTEN_BYTES
from hub.realtime.changes import Change
from hub.realtime.frames import change_frame, event_packet
from hub.realtime.tallies import Tallies
from hub.realtime.transport import Carrier

if TYPE_CHECKING:
    from hub.gateway.access import Access

LOG = logs.get(__name__)
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


# The frames that are ready to leave, in the order of each topic.
Waiting: TypeAlias = dict[TopicState, list[bytes]]


class Fanout:
    """All topics of one worker."""

    def __init__(self, *, ring_changes: int) -> None:
        self._ring_changes = ring_changes
        self._heard_by: dict[str, Callable[[Change], None]] = {}
        self.topics: dict[str, TopicState] = {}
        self._of_client: dict[str, set[str]] = {}
        self._dropped: dict[str, set[str]] = {}
        self._tallies = Tallies()

    def hear(self, entities: Iterable[str], heard_by: Callable[[Change], None]) -> None:
        """Call `heard_by` with every change of these entities at its place: what came before it has left then."""
        self._heard_by.update(dict.fromkeys(entities, heard_by))

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
        self._dropped.get(sid, set()).discard(state.name)
        return joining

    def go_live(self, state: TopicState, sid: str, client: Carrier, *, after: int) -> bool:
        """Write what waited beyond offset `after`, and follow from now on. False: the join was superseded or lost."""
        joining = state.joining.pop(sid, None)
        if joining is None or joining.is_lost:
            return False
        state.head = max(state.head or 0, after)
        frames = [change_frame(body) for offset, body in joining.buffer if offset > after]
        if _is_taken(client, in_pieces(frames)):
            state.live[sid] = client
        else:
            self._drop(state, sid)
        return True

    def leave(self, name: str, sid: str) -> None:
        """End a client's subscription, if there is one."""
        topics = self._of_client.get(sid)
        if topics is None or name not in topics:
            return
        topics.discard(name)
        if not topics:
            del self._of_client[sid]
        self._dropped.get(sid, set()).discard(name)
        self._forget(name, sid)

    def leave_all(self, sid: str) -> None:
        """The client is gone: O(its own topics)."""
        self._dropped.pop(sid, None)
        for name in self._of_client.pop(sid, ()):
            self._forget(name, sid)

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
        waiting: Waiting = {}
        frames = 0
        for change in changes:
            for name, offset, op in change.places:
                state = self.topics.get(name)
                if state is not None:
                    self._place(state, change, epoch, offset, op, waiting)
            heard_by = self._heard_by.get(change.entity)
            if heard_by is not None:
                frames += self._flush(waiting)
                heard_by(change)
        frames += self._flush(waiting)
        if changes:
            self._tallies.delivered(len(changes), frames, written_at=changes[0].at)

    def _place(self, state: TopicState, change: Change, epoch: int, offset: int, op: str, waiting: Waiting) -> None:
        body = change.body(state.name, state.kind, epoch, offset, op)
        if body is None:
            # The database put an entity where no view shows it: clients see the hole, take a snapshot, nobody stalls.
            LOG.error("no view", entity=change.entity, kind=state.kind)
            metrics.UNSEEN.labels(state.kind).inc()
            state.ring.clear()
            state.head = offset
            return
        numbered = (offset, body)
        state.ring.append(numbered)
        state.head = offset
        if state.live:
            frame = change_frame(body)
            if state in waiting:
                waiting[state].append(frame)
            else:
                waiting[state] = [frame]
        for joining in state.joining.values():
            joining.take(numbered)

    def _flush(self, waiting: Waiting) -> int:
        """As few writes per client as may be for all that is ready; how many frames left."""
        if len(waiting) == 1:
            ((state, frames),) = waiting.items()
            self._flush_one(state, frames)
        elif waiting:
            self._flush_several(waiting)
        count = sum([len(frames) * len(state.live) for state, frames in waiting.items()])
        waiting.clear()
        return count

    def _flush_one(self, state: TopicState, frames: list[bytes]) -> None:
        """The same writes to every client of the topic."""
        pieces = in_pieces(frames)
        if len(pieces) == 1:
            (piece,) = pieces
            refused = [sid for sid, client in state.live.items() if not client.write(piece)]
        else:
            refused = [sid for sid, client in state.live.items() if not _is_taken(client, pieces)]
        for sid in refused:
            self._drop(state, sid)

    def _flush_several(self, waiting: Waiting) -> None:
        """To every client what is ready in all its topics."""
        ready = _parts(waiting)
        if sum([len(frame) for frames in waiting.values() for frame in frames]) <= MOST_WRITTEN_BYTES:
            refused = {client for client, parts in ready.items() if not client.write(b"".join(parts))}
        else:
            refused = {client for client, parts in ready.items() if not _is_taken(client, in_pieces(parts))}
        if refused:
            for state in waiting:
                for sid in [sid for sid, client in state.live.items() if client in refused]:
                    self._drop(state, sid)

    def _drop(self, state: TopicState, sid: str) -> None:
        """A client that does not drain loses this topic until it does; nobody else waits for it."""
        state.live.pop(sid, None)
        self._dropped.setdefault(sid, set()).add(state.name)

    def drained(self, sid: str, client: Carrier) -> None:
        """A slow client has caught up: tell it which topics to take up again."""
        for name in self._dropped.pop(sid, ()):
            client.answer(resync_packet(name))

    def renew(self) -> None:
        """History was replaced: every client takes a new snapshot."""
        for state in self.topics.values():
            packet = resync_packet(state.name)
            for client in state.live.values():
                client.answer(packet)
            for joining in state.joining.values():
                joining.is_lost = True
            state.live.clear()
            state.ring.clear()
            state.head = None


def in_pieces(frames: list[bytes]) -> list[bytes]:
    """The frames joined to as few writes as may be, none longer than `MOST_WRITTEN_BYTES` unless one frame is."""
    if sum(map(len, frames)) <= MOST_WRITTEN_BYTES:
        return [b"".join(frames)] if frames else []
    pieces: list[bytes] = []
    first = size = 0
    for at, frame in enumerate(frames):
        if size and size + len(frame) > MOST_WRITTEN_BYTES:
            pieces.append(b"".join(frames[first:at]))
            first, size = at, 0
        size += len(frame)
    return [*pieces, b"".join(frames[first:])]


def _parts(waiting: Waiting) -> dict[Carrier, list[bytes]]:
    """For each client what is ready in all its topics."""
    ready: dict[Carrier, list[bytes]] = {}
    for state, frames in waiting.items():
        joined, *more = in_pieces(frames)
        for client in state.live.values():
            if client in ready:
                ready[client].append(joined)
            else:
                ready[client] = [joined]
        if more:
            for client in state.live.values():
                ready[client] += more
    return ready


def _is_taken(client: Carrier, pieces: list[bytes]) -> bool:
    return all(client.write(piece) for piece in pieces)


def resync_packet(topic: str) -> bytes:
    """The server dropped what it had queued for this client: subscribe again from the last offset. Never refused."""
    return event_packet("resync", b'{"topic":"%b"}' % topic.encode())
