"""A process of many sockets: it records raw frames with their time while it runs, and reads them only afterwards.

`python -m hub.bench.subscribers`: one JSON line of `Listening` on standard input, `ready` on standard output once all
topics are live; `stop` ends it, once nothing more comes. What was received, and every broken promise, is written to a
file.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import msgspec
import uvloop

from hub.bench.talk import hear, save, say, task_of
from hub.client.fold import Change, Present, Tally, TopicFold
from hub.client.socket import Socket

SOCKETS_AT_ONCE = 25
QUIET_SECONDS = 1.0
# Where the name of an event may stand: behind the packet's types.
LONGEST_PREFIX = 16


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """One socket: who, and which topics."""

    token: str
    topics: list[str]


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """What the process shall listen to."""

    hub_url: str
    listeners: list[Listener]
    heard_path: str


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """One received change, with the monotonic nanoseconds of its receipt."""

    id: str
    version: int
    received: int


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a process heard."""

    changes: list[Heard]
    heads: dict[str, int]
    tally: dict[str, int]
    sockets_lost: int


class Recorder(Socket):
    """A socket that only keeps what comes: reading would cost the clients' share of the machine."""

    def __init__(self) -> None:
        self.records: list[tuple[int, bytes]] = []
        self.changes = 0
        super().__init__(on_event=lambda *_: None, on_lost=lambda _: None)

    def _event(self, text: bytes) -> None:
        self.records.append((time.monotonic_ns(), text))
        self.changes += b'"change"' in text[:LONGEST_PREFIX]


class Ear:
    """One listener: its socket and the folds of its topics, as they stood when it had subscribed."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.socket = Recorder()
        self.folds: dict[str, TopicFold] = {}
        self._answers: list[dict[str, Any]] = []

    async def open(self, hub_url: str) -> None:
        """Connect and subscribe to every topic."""
        await self.socket.open(hub_url, {"token": self._listener.token})
        for topic in self._listener.topics:
            fold = self.folds[topic] = TopicFold(topic)
            answers = await subscribe(self.socket, topic)
            self._answers += answers
            fold.snapshot(answers[-1]["epoch"], answers[-1]["offset"], (), ())

    def read(self, heard: list[Heard]) -> Tally:
        """Fold everything that was recorded; the counts of this socket."""
        decoder = msgspec.json.Decoder(tuple[str, msgspec.Raw])
        change_of = msgspec.json.Decoder(Change)
        for answer in self._answers:
            self._take_versions(answer)
        for received, text in self.socket.records:
            name, payload = decoder.decode(text[text.index(b"[") :])
            if name == "change":
                change = change_of.decode(payload)
                self.folds[change.topic].change(change)
                heard.append(Heard(change.id, change.version, received))
        total = Tally()
        for fold in self.folds.values():
            total += fold.tally
        return total

    def _take_versions(self, answer: dict[str, Any]) -> None:
        fold = self.folds[answer["topic"]]
        for present in msgspec.convert(answer.get("rows", []), list[Present]):
            fold.held[present.entity, present.id] = (present.version, present.row)


async def subscribe(socket: Socket, topic: str) -> list[dict[str, Any]]:
    """Follow a topic; its answer, page by page."""
    answers = [await socket.ask("subscribe", {"topic": topic})]
    while answers[-1].get("more"):
        answers.append(await socket.ask("subscribe", {"topic": topic, "page": len(answers)}))
    return answers


async def listen(listening: Listening) -> None:
    """Open all sockets, listen until `stop`, write down what was heard."""
    ears = [Ear(listener) for listener in listening.listeners]
    for at in range(0, len(ears), SOCKETS_AT_ONCE):
        await asyncio.gather(*(ear.open(listening.hub_url) for ear in ears[at : at + SOCKETS_AT_ONCE]))
    gc.collect()
    gc.freeze()
    gc.disable()
    say("ready")
    await hear()
    await _quiet(ears)
    lost = sum(ear.socket.is_lost for ear in ears)
    heard: list[Heard] = []
    total = Tally()
    heads: dict[str, int] = {}
    for ear in ears:
        total += ear.read(heard)
    for fold in (fold for ear in ears for fold in ear.folds.values()):
        heads[fold.topic] = max(heads.get(fold.topic, 0), fold.offset)
    for fold in (fold for ear in ears for fold in ear.folds.values()):
        total.lost += (
            heads[fold.topic] - fold.offset
        )  # the others of the same topic are ahead: the last ones are missing
    faults = {name: getattr(total, name) for name in ("applied", "lost", "duplicated", "reordered", "version_falls")}
    hearing = Hearing(changes=heard, heads=heads, tally=faults, sockets_lost=lost)
    save(listening.heard_path, hearing)
    say("done")


async def _quiet(ears: list[Ear]) -> None:
    """Wait until no change has come for a while: what was committed may still be on its way."""
    before, now = -1, 0
    while now != before:
        await asyncio.sleep(QUIET_SECONDS)
        before, now = now, sum(ear.socket.changes for ear in ears)


def main() -> None:
    """The process."""
    uvloop.run(listen(task_of(Listening)))


if __name__ == "__main__":
    main()
