"""A hub with nothing but the socket engine, run as a process of its own: `socket_hub.py PORT OPTIONS_AS_JSON`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import socketio
from sanic import Request, Sanic
from sanic import json as json_response

from hub.realtime import frames
from hub.realtime.engine import LiveServer
from hub.realtime.garbage import tune_garbage_collector
from hub.realtime.joints import heed_every_signal

PORT, OPTIONS = int(sys.argv[1]), json.loads(sys.argv[2])
WORKERS = OPTIONS.pop("workers", 1)
# Sanic's own settings, REQUEST_TIMEOUT and the like.
CONFIG = OPTIONS.pop("config", {})

SEEN: dict[str, list[Any]] = {"slow": [], "drained": [], "limited": [], "left": [], "worked": []}


def drained(sid: str) -> None:
    """As the fan-out does: a client that has caught up is told so."""
    SEEN["drained"].append(sid)
    connection = server.connection(sid)
    if connection is not None:
        connection.write(frames.text_frame(b'42["resync"]'))


server = LiveServer(
    is_origin_allowed=lambda origin: origin in (None, "http://good.example"),
    client_address=lambda request: request.headers.get("x-test-address", request.ip),
    on_slow=SEEN["slow"].append,
    on_drained=drained,
    on_rate_limited=SEEN["limited"].append,
    **OPTIONS,
)
app = Sanic("socket_hub")
app.config.update(CONFIG)
# What connect handlers with the token "refuse late" wait for: GET /release.
released = asyncio.Event()
server.attach(app)


def register(namespace: str) -> None:
    @server.on("connect", namespace=namespace)
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        token = (auth or {}).get("token")
        if token == "refuse":
            raise socketio.exceptions.ConnectionRefusedError("not you", {"code": "auth.refused"})
        if token == "refuse late":
            SEEN["worked"].append("refusing")
            await released.wait()
            raise socketio.exceptions.ConnectionRefusedError("not you", {"code": "auth.refused"})
        if token == "explode":
            raise RuntimeError("planted")
        async with server.session(sid, namespace) as session:
            session["address"] = environ["REMOTE_ADDR"]
        await server.emit("auth", auth or {}, to=sid, namespace=namespace)

    @server.on("disconnect", namespace=namespace)
    async def disconnect(sid: str, reason: str) -> None:
        session = await server.get_session(sid, namespace)
        SEEN["left"].append([namespace, reason, session["address"]])

    @server.on("message", namespace=namespace)
    async def message(sid: str, *arguments: Any) -> None:
        await server.emit("message-back", arguments, to=sid, namespace=namespace)

    @server.on("message-with-ack", namespace=namespace)
    async def message_with_ack(sid: str, *arguments: Any) -> tuple[Any, ...]:
        return arguments


for each in ("/", "/custom"):
    register(each)


@server.on("work")
async def work(sid: str, number: int) -> int:
    """Takes the longer the smaller the number, so that unordered handling would show."""
    for _ in range(max(0, 20 - number)):
        await asyncio.sleep(0)
    SEEN["worked"].append(number)
    return number


@server.on("fail")
async def fail(sid: str) -> None:
    raise RuntimeError("planted")


@server.on("kick")
async def kick(sid: str) -> None:
    await server.disconnect(sid)


@server.on("close")
async def close(sid: str, code: int, reason: str) -> None:
    connection = server.connection(sid)
    assert connection is not None
    connection.close(code, reason)


@server.on("room")
async def room(sid: str, do: str, name: str) -> list[str]:
    if do == "enter":
        await server.enter_room(sid, name)
    elif do == "leave":
        await server.leave_room(sid, name)
    else:
        await server.emit("told", {"room": name}, room=name)
    return sorted(server.rooms(sid))


@server.on("pour")
async def pour(sid: str, count: int, size: int) -> dict[str, int]:
    """Writes frames to the caller until they are refused; the answer says how many were taken."""
    connection = server.connection(sid)
    assert connection is not None
    frame = frames.event_frame("change", b'"' + b"x" * size + b'"')
    taken = most = 0
    for _ in range(count):
        taken += connection.write(frame)
        most = max(most, connection.queued_bytes)
        await asyncio.sleep(0)
    SEEN["worked"].append("poured")
    return {"taken": taken, "most_queued_bytes": most}


@server.on("page")
async def page(sid: str, size: int) -> str:
    return "x" * size


@server.on("ask-back")
async def ask_back(sid: str, question: str) -> None:
    def answered(answer: str) -> None:
        SEEN["worked"].append(answer)

    await server.emit("question", question, to=sid, callback=answered)


@app.get("/release")
async def release(request: Request) -> Any:
    released.set()
    return json_response({})


@app.get("/state")
async def state(request: Request) -> Any:
    return json_response(
        {
            **SEEN,
            "pid": os.getpid(),
            "sessions": len(server.eio.sockets),
            "participants": len(list(server.manager.get_participants("/", None))),
            "rooms": sum(len(rooms) for rooms in server.manager._rooms.values()),
            "tasks": len(asyncio.all_tasks()),
        }
    )


@app.after_server_start
async def started(app: Sanic) -> None:
    tune_garbage_collector()


if __name__ == "__main__":
    arguments = {"single_process": True} if WORKERS == 1 else {"workers": WORKERS}
    if WORKERS > 1:
        heed_every_signal(app)
    app.run("127.0.0.1", PORT, access_log=False, motd=False, **arguments)
