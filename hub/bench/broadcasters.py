"""A server process that tells events to rooms of its clients: our engine, or python-socketio as it comes, on Sanic.

`python -m hub.bench.broadcasters hotpass|stock PORT ROOMS`: each client joins the next room. `GET /blast?rounds=N&\
interval_ms=T&burst=B` N times tells an event to each of the next B rooms, T apart, and answers when the last has been
handed over. `GET /quiet` answers once the garbage has been collected. `GET /stall` tells how many clients there are
and the longest time (ms) the loop could not run since it was last asked. Both kinds get the same tuned garbage
collector, so that the engines are compared and nothing else. The same contract in Node.js: `broadcaster.mjs`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import socketio
from sanic import HTTPResponse, Request, Sanic, text

from hub.domain.topics import TopicKind
from hub.realtime.changes import Change
from hub.realtime.engine import LiveServer
from hub.realtime.fanout import Fanout
from hub.realtime.garbage import tune_garbage_collector

# About the size of a changed order as its kitchen sees it.
ROW: dict[str, Any] = {"id": "0198c0de-0000-7000-8000-000000000001", "status": "ready", "version": 7}
RING_CHANGES = 100

TICK_SECONDS = 0.002

# The rooms that are told in one turn.
Tell = Callable[[Sequence[int]], Awaitable[None]]
Count = Callable[[], int]


def hotpass(app: Sanic[Any, Any], rooms: int) -> tuple[Tell, Count]:
    """Our engine and fan-out: a room is an order's topic, an event the change of an order, as the log brings it."""
    server = LiveServer(is_origin_allowed=lambda _: True, client_address=lambda request: request.ip)
    fanout = Fanout(ring_changes=RING_CHANGES)
    topics = [f"order:{room}" for room in range(rooms)]
    followed: dict[str, str] = {}
    heads = dict.fromkeys(topics, 0)
    next_topic = itertools.cycle(topics)
    positions = itertools.count(1)
    server.attach(app)

    async def connect(sid: str, _environ: dict[str, Any], _auth: Any) -> None:
        carrier = server.connection(sid)
        if carrier is not None:
            followed[sid] = topic = next(next_topic)
            state = fanout.topic(topic, TopicKind.ORDER)
            fanout.join(state, sid)
            fanout.go_live(state, sid, carrier, after=heads[topic])

    async def disconnect(sid: str, _reason: str) -> None:
        if followed.pop(sid, None) is not None:
            fanout.leave_all(sid)

    async def tell(told: Sequence[int]) -> None:
        changes, at = [], datetime.now(UTC).isoformat()
        for topic in [topics[room] for room in told]:
            heads[topic] += 1
            place, row = (topic, heads[topic], "put"), orjson.dumps(changed_row()).decode()
            changes.append(Change(next(positions), "order", ROW["id"], 7, "order.changed", row, at, [place]))
        fanout.deliver(1, changes)

    server.on("connect", connect)
    server.on("disconnect", disconnect)
    return tell, lambda: len(followed)


def stock(app: Sanic[Any, Any], rooms: int) -> tuple[Tell, Count]:
    """python-socketio's own engine, as its documentation has it."""
    server = socketio.AsyncServer(async_mode="sanic", cors_allowed_origins="*")
    next_room = itertools.cycle(range(rooms))
    server.attach(app)

    async def connect(sid: str, _environ: dict[str, Any], _auth: Any = None) -> None:
        await server.enter_room(sid, f"room {next(next_room)}")

    async def tell(told: Sequence[int]) -> None:
        for room in told:
            await server.emit("change", {"row": changed_row()}, room=f"room {room}")

    server.on("connect", connect)
    return tell, lambda: len(server.eio.sockets)


def changed_row() -> dict[str, Any]:
    """The row, with the monotonic nanoseconds of now: how the crowd knows how late it hears."""
    return ROW | {"note": f"{time.monotonic_ns()} {'x' * 120}"}


class Stall:
    """The longest time that the loop could not run."""

    def __init__(self) -> None:
        self._longest_seconds = 0.0
        self._watch: asyncio.Task[None] | None = None

    async def _tick(self) -> None:
        """Tick for ever, and note how late each tick is."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self._longest_seconds = max(self._longest_seconds, time.monotonic() - began - TICK_SECONDS)

    def take(self) -> float:
        """Milliseconds since last asked; nobody watches before the first question, for watching costs."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._tick())
        longest, self._longest_seconds = self._longest_seconds, 0.0
        return longest * 1000


def serve(kind: str, port: int, rooms: int) -> None:
    """Run until SIGTERM."""
    app: Sanic[Any, Any] = Sanic(f"broadcast_{kind}")
    tell, count = {"hotpass": hotpass, "stock": stock}[kind](app, rooms)
    stall = Stall()
    next_room = itertools.cycle(range(rooms))

    @app.get("/blast")
    async def blast(request: Request) -> HTTPResponse:
        rounds, pause_seconds = int(request.args["rounds"][0]), float(request.args["interval_ms"][0]) / 1000
        burst = int(request.args["burst"][0])
        due = time.monotonic()
        for _ in range(rounds):
            await tell([next(next_room) for _ in range(burst)])
            due += pause_seconds
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        return text("done")

    @app.get("/quiet")
    async def quiet(_request: Request) -> HTTPResponse:
        gc.collect()
        return text("done")

    @app.get("/stall")
    async def stalled(_request: Request) -> HTTPResponse:
        return text(f"{count()} {stall.take():.1f}")

    @app.after_server_start
    async def started(_app: Sanic[Any, Any]) -> None:
        tune_garbage_collector()

    app.config.RESPONSE_TIMEOUT = 600
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
