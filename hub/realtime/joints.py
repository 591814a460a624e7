"""The few places where the hub leans on the insides of Sanic, python-engineio and python-socketio.

All reliance is here, in `LEANT_ON`, and in the method names that `LiveServer`, `LiveEngine`, `Rooms` and `LivePacket`
override; `tests/realtime/test_joints.py` fails at the first release that moves any of them, and where one of these
classes uses a name of its library that is not in the list. `pyproject.toml` lets in no minor release untried.

    Sanic            a handler marked `is_websocket` may leave without an answer; its protocol does nothing more once
                     its `transport` is None; its manager starts the workers again whose names it is sent
    python-engineio  every method that python-socketio calls is overridden
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from sanic import HTTPResponse, Request, Sanic
from sanic.http.http1 import Http
from sanic.server import HttpProtocol

from hub.observability import logs

LOG = logs.get(__name__)
LOOK_SECONDS = 0.1
TRIED_WITH = {"sanic": "25.12.1", "python-engineio": "4.15.1", "python-socketio": "5.18.1"}
# Class, and those of its attributes and methods that are used from outside or by our subclass.
LEANT_ON = {
    "sanic.http.http1:Http": ("response_func",),
    "sanic.server:HttpProtocol": ("abort", "close_if_idle", "connections", "recv_buffer", "transport"),
    "sanic.worker.manager:WorkerManager": (
        "_all_workers_ack", "_shutting_down", "monitor_publisher", "shutdown_signal", "transient_processes",
    ),
    "sanic.worker.process:WorkerProcess": ("exitcode", "name", "pid"),
    "socketio:AsyncServer": (
        "_engineio_server_class", "_get_event_handler", "_trigger_event", "eio", "handlers", "manager",
        "namespace_handlers", "namespaces", "not_handled", "reason",
    ),
    "socketio:AsyncManager": ("server",),
    "socketio.packet:Packet": ("data", "id", "namespace", "packet_type", "uses_binary_events"),
    "socketio.exceptions:ConnectionRefusedError": ("error_args",),
    "engineio:AsyncServer": ("generate_id", "sockets"),
}  # fmt: skip

Handler = Callable[[Request], Awaitable[HTTPResponse | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """A client's transport, free of Sanic."""

    transport: asyncio.Transport
    connections: set[asyncio.Protocol]
    early_input: bytes


def add_route(app: Sanic[Any, Any], handler: Handler, path: str) -> None:
    """Serves every method of `path` by `handler`, which may take the transport over and return None.

    Sanic's own WebSockets stay switched off, and with them its pings and its reader.
    """

    async def serve(request: Request) -> HTTPResponse | None:
        return await handler(request)

    serve.is_websocket = True  # type: ignore[attr-defined]  # Sanic asks for this mark where no answer is returned
    app.add_route(serve, path, methods=["GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"], name="socket.io")


def take_over(request: Request) -> TakenOver:
    """Takes a request's transport from Sanic for good: Sanic writes nothing to it from now on."""
    transport = cast("asyncio.Transport", request.transport)
    protocol = transport.get_protocol()
    if not isinstance(protocol, HttpProtocol):
        raise TypeError(f"no HTTP/1.1 connection: {type(protocol).__name__}")
    early_input = bytes(protocol.recv_buffer)
    protocol.recv_buffer.clear()
    protocol.connections.discard(protocol)
    protocol.transport = None
    if isinstance(request.stream, Http):
        # Its only cycle: without it the whole request is freed at once, not at some later collection.
        del request.stream.response_func
    transport.resume_reading()
    return TakenOver(transport=transport, connections=protocol.connections, early_input=early_input)


def heed_every_signal(app: Sanic[Any, Any]) -> None:
    """Lets the main process of several workers end whenever it is told to.

    Sanic's manager shuts down inside the signal's handler. There it asks the process that keeps the workers' states,
    over a connection on which it may itself be waiting for an answer: then it takes the one for the other, and hangs.
    On a thread of its own it has a connection of its own. And it would wait for ever for workers that it has stopped.
    """

    async def heed(app: Sanic[Any, Any]) -> None:
        manager: Any = app.manager
        are_up = manager._all_workers_ack  # noqa: SLF001 - the joint
        manager._all_workers_ack = lambda: manager._shutting_down or are_up()  # noqa: SLF001
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *told: threading.Thread(target=manager.shutdown_signal, args=told).start())

    app.register_listener(heed, "main_process_ready")


async def revive_workers(app: Sanic[Any, Any]) -> None:
    """Has every worker that died started again; a listener of `main_process_ready`.

    Sanic's manager starts a worker again only when it is told to: one that was killed would stay away.
    """
    threading.Thread(target=_revive_for_ever, args=(app.manager,), daemon=True, name="revive").start()


def _revive_for_ever(manager: Any) -> None:
    told: set[int] = set()
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            told = _revive(manager, told)
        except Exception:
            LOG.exception("dead workers were not started again")


def _revive(manager: Any, told: set[int]) -> set[int]:
    """Tell of those that died since; the process ids of all that are dead."""
    died = {process.pid: process.name for process in manager.transient_processes if process.exitcode}
    if new := died.keys() - told:
        LOG.warning("a worker died and is started again", workers=sorted(died[pid] for pid in new))
        manager.monitor_publisher.send(",".join(died[pid] for pid in new))
    return set(died)
