"""The fan-out: who of this worker's clients follows which topic, and the bytes that go to them.

One encoding of a topic's change, the same bytes to every local client; all that is ready together for one client goes
out in one write. Whoever does not take all of it is left behind at an offset, and costs nothing more; once it has
drained it goes on from there, out of the ring of recent changes that all share, or by `resync` where the ring no longer
reaches back.
Everything here is synchronous: between two awaits of anybody else a worker stands at exactly one `pos`.

Invariant: frames leave in the total order. A change of authority first flushes what came before it, then takes topics
away: nothing after its place reaches the socket that lost the right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from hub.domain.topics import TopicKind
from hub.observability import logs, metrics
from hub.realtime.bound import MOST_WRITTEN_BYTES
from hub.realtime.changes import Change
from hub.realtime.frames import change_frame, event_packet
from hub.realtime.tallies import Tallies
from hub.realtime.topic_state import Joining, TopicState
from hub.realtime.transport import Carrier

LOG = logs.get(__name__)
# Behind everything that a ring may hold.
NOWHERE = -1


# The frames that are ready to leave, in the order of each topic.
Waiting: TypeAlias = dict[TopicState, list[bytes]]
# One write, and how many frames are in it.
Piece: TypeAlias = tuple[bytes, int]


class Fanout:
    """All topics of one worker."""

    def __init__(self, *, ring_changes: int) -> None:
        self._ring_changes = ring_changes
        self._heard_by: dict[str, Callable[[Change], None]] = {}
        self.topics: dict[str, TopicState] = {}
        self._of_client: dict[str, set[str]] = {}
        # sid ─► topic ─► the last offset that was written to a client which does not drain
        self._behind: dict[str, dict[str, int]] = {}
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
        self._behind.get(sid, {}).pop(state.name, None)
        return joining

    def go_live(self, state: TopicState, sid: str, client: Carrier, *, after: int) -> bool:
        """Write what waited beyond offset `after`, and follow from now on. False: the join was superseded or lost."""
        joining = state.joining.pop(sid, None)
        if joining is None or joining.is_lost:
            return False
        state.head = max(state.head or 0, after)
        self._catch_up(state, sid, client, [body for offset, body in joining.buffer if offset > after], after)
        return True

    def _catch_up(self, state: TopicState, sid: str, client: Carrier, bodies: list[bytes], after: int) -> None:
        """Write the changes after+1 … head, and follow from now on if the client takes them all."""
        taken = _taken(client, in_pieces([change_frame(body) for body in bodies]))
        if taken == len(bodies):
            state.live[sid] = client
        else:
            self._behind.setdefault(sid, {})[state.name] = after + taken

    def leave(self, name: str, sid: str) -> None:
        """End a client's subscription, if there is one."""
        topics = self._of_client.get(sid)
        if topics is None or name not in topics:
            return
        topics.discard(name)
        if not topics:
            del self._of_client[sid]
        self._behind.get(sid, {}).pop(name, None)
        self._forget(name, sid)

    def leave_all(self, sid: str) -> None:
        """The client is gone: O(its own topics)."""
        self._behind.pop(sid, None)
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
        """One write per client for all that is ready, unless it is long; how many frames there were."""
        if sum([len(frame) for frames in waiting.values() for frame in frames]) > MOST_WRITTEN_BYTES:
            for state, frames in waiting.items():
                self._flush_long(state, in_pieces(frames), len(frames))
        elif len(waiting) == 1:
            ((state, frames),) = waiting.items()
            joined = b"".join(frames)
            for sid in [sid for sid, client in state.live.items() if not client.write(joined)]:
                self._leave_behind(state, sid, len(frames))
        elif waiting:
            self._flush_several(waiting)
        count = sum([len(frames) * len(state.live) for state, frames in waiting.items()])
        waiting.clear()
        return count

    def _flush_several(self, waiting: Waiting) -> None:
        ready: dict[Carrier, list[bytes]] = {}
        for state, frames in waiting.items():
            joined = b"".join(frames)
            for client in state.live.values():
                if client in ready:
                    ready[client].append(joined)
                else:
                    ready[client] = [joined]
        refused = {client for client, parts in ready.items() if not client.write(b"".join(parts))}
        if refused:
            for state, frames in waiting.items():
                for sid in [sid for sid, client in state.live.items() if client in refused]:
                    self._leave_behind(state, sid, len(frames))

    def _flush_long(self, state: TopicState, pieces: list[Piece], count: int) -> None:
        """A topic's frames in several writes, of which a client may take the first alone."""
        missed = {sid: count - _taken(client, pieces) for sid, client in state.live.items()}
        for sid, frames in missed.items():
            if frames:
                self._leave_behind(state, sid, frames)

    def _leave_behind(self, state: TopicState, sid: str, frames: int) -> None:
        """A client has not taken the last `frames`: nobody waits for it."""
        del state.live[sid]
        self._behind.setdefault(sid, {})[state.name] = (state.head or 0) - frames

    def drained(self, sid: str, client: Carrier) -> None:
        """A slow client has taken what was queued: it goes on where it was left behind."""
        for name, after in self._behind.pop(sid, {}).items():
            if self._behind.get(sid):
                self._behind[sid][name] = after  # it is slow again already
            elif not self._is_on_its_way(name, sid, client, after):
                self._behind.get(sid, {}).pop(name, None)
                client.answer(resync_packet(name))

    def _is_on_its_way(self, name: str, sid: str, client: Carrier, after: int) -> bool:
        """Whether a client that has drained takes anything of what it has missed: a single frame may be too long."""
        state = self.topics.get(name)
        bodies = state.since(after) if state is not None else None
        if state is None or bodies is None:
            return False
        self._catch_up(state, sid, client, bodies, after)
        return self._behind.get(sid, {}).get(name) != after

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
        self._behind = {sid: dict.fromkeys(names, NOWHERE) for sid, names in self._behind.items()}


def in_pieces(frames: list[bytes]) -> list[Piece]:
    """The frames joined to as few writes as may be, none longer than `MOST_WRITTEN_BYTES` unless one frame is."""
    pieces: list[Piece] = []
    first = size = 0
    for at, frame in enumerate(frames):
        if size and size + len(frame) > MOST_WRITTEN_BYTES:
            pieces.append((b"".join(frames[first:at]), at - first))
            first, size = at, 0
        size += len(frame)
    return [*pieces, (b"".join(frames[first:]), len(frames) - first)] if frames else []


def _taken(client: Carrier, pieces: list[Piece]) -> int:
    """How many frames the client takes, in their order."""
    taken = 0
    for piece, count in pieces:
        if not client.write(piece):
            break
        taken += count
    return taken


def resync_packet(topic: str) -> bytes:
    """The hub cannot go on where this client was left behind: it must subscribe again from its last offset."""
    return event_packet("resync", b'{"topic":"%b"}' % topic.encode())
