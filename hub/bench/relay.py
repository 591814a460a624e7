"""The peers of the pipeline: a trigger's pg_notify, Node.js, Redis, and socket.io behind one of its Redis adapters.

    TWO   table with a trigger ─pg_notify─► Node emitter ─► Redis ─► Node server ─► subscribers
    ONE   table with a trigger ─pg_notify─► Node server ─► subscribers
                                                 └───────► Redis, for servers that there are not

The same engines, writers and subscribers as ours, rows of the same shape cut by the same table, the same two topics a
change; no log, no recovery, no total order, no audit. What it cannot do it need not pay for.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from hub.bench.node import NODE
from hub.bench.processes import expect, launch, say
from hub.bench.traffic import Ground
from hub.domain.topics import TopicKind
from hub.domain.views import VIEWS

SERVER, EMITTER = "Node server", "Node emitter"
# The parts of `relay.mjs` that each form of the peer runs; the last of them hears the notifications.
TWO = {SERVER: "serve", EMITTER: "emit"}
ONE = {SERVER: "both"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A form of the peer: its parts, and the package (of @socket.io) that brings an event from one to the other."""

    parts: Mapping[str, str]
    adapter: str = "redis-adapter"


ENGINES = frozenset({"Postgres", "Valkey"})
PROGRAM = Path(__file__).with_name("relay.mjs")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What `relay.mjs` is told, in every part; `views` names the fields of a row that each kind of topic sees."""

    modules: str
    redis_url: str
    database_url: str
    channel: str
    views: dict[str, list[str]]
    adapter: str
    port: int


@asynccontextmanager
async def relay(
    ground: Ground, peer: Peer, *, statement: str, channel: str, port: int, modules: Path
) -> AsyncIterator[Ground]:
    """The same ground with the peer on it; `statement` changes a row whose trigger notifies `channel`.

    Only the engines of `ground` are counted as the peer's: whatever else ran on it should have been stopped.
    """
    task = Task(
        modules=str(modules),
        redis_url=ground.redis_url,
        database_url=ground.database_url,
        channel=channel,
        views={kind.value: [*VIEWS["order"][kind], "version"] for kind in (TopicKind.KITCHEN, TopicKind.ORDER)},
        adapter=peer.adapter,
        port=port,
    )
    node = shutil.which(NODE) or NODE
    async with AsyncExitStack() as stack:
        running = {
            name: await stack.enter_async_context(launch((node, PROGRAM, part), task))
            for name, part in peer.parts.items()
        }
        *_, hearing = running.values()

        async def renew() -> None:
            await say(hearing, "anew")
            await expect(hearing, "ready")

        engines = {name: ids for name, ids in ground.processes.items() if name in ENGINES}
        yield replace(
            ground,
            hub_url=f"http://127.0.0.1:{port}",
            nudge_channel=None,
            statement=statement,
            processes=engines | {name: [process.pid] for name, process in running.items()},
            renew=renew,
        )
