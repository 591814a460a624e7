"""A hub of one topic log in memory, on a real port with stock python-socketio: it can be told to break its promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import socketio
from aiohttp import web

TOPIC = "kitchen:1"


@dataclass
class SmallHub:
    """`log` is the truth; `say` sends what the test wants, whether it is true or not."""

    sio: socketio.AsyncServer
    url: str = ""
    epoch: int = 1
    first_replayable: int = 1
    log: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    page_changes: int | None = None
    told_with_the_answer: int = 0
    sids: list[str] = field(default_factory=list)

    def commit(self, key: str, *, op: str = "put") -> dict[str, Any]:
        """Append a change to the log; nobody is told."""
        offset = len(self.log) + 1
        change: dict[str, Any] = {
            "topic": TOPIC,
            "epoch": self.epoch,
            "offset": offset,
            "entity": "order",
            "id": key,
            "version": offset,
            "op": op,
            "event": "order.changed",
            "at": "2026-03-01T12:00:00+00:00",
        }
        if op == "put":
            change["row"] = {"id": key, "status": f"s{offset}", "version": offset}
        self.log.append(change)
        return change

    async def say(self, event: str, payload: Any) -> None:
        """Send a frame to every client."""
        await self.sio.emit(event, payload)

    async def tell(self, key: str) -> None:
        """Commit a change and tell it, as a hub should."""
        await self.say("change", self.commit(key))

    async def tell_many(self, count: int) -> None:
        """Commit so many changes and tell them at once."""
        for number in range(count):
            await self.tell(f"k{number}")

    async def cut(self) -> None:
        """End every connection."""
        for sid in list(self.sids):
            await self.sio.disconnect(sid)

    def answer(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What a subscribe is answered, page by page when `page_changes` says so."""
        self.asked.append(payload)
        if self.refusals:
            return {"ok": False, "error": {"code": self.refusals.pop(0), "message": "no"}}
        after = payload.get("offset")
        base = {"ok": True, "topic": payload["topic"], "epoch": self.epoch, "offset": len(self.log)}
        if after is not None and payload.get("epoch") == self.epoch and after + 1 >= self.first_replayable:
            return base | {"recovered": True, "changes": self.log[after:]}
        last = {change["id"]: change for change in self.log}
        rows = [
            {"entity": "order", "id": key, "version": change["version"], "row": change["row"]}
            for key, change in last.items()
            if change["op"] == "put"
        ]
        if self.page_changes is None:
            return base | {"recovered": False, "rows": rows, "gone": []}
        start = payload.get("page", 0) * self.page_changes
        page = base | {"recovered": False, "rows": rows[start : start + self.page_changes], "gone": []}
        return page | ({"more": True} if start + self.page_changes < len(rows) else {})


@asynccontextmanager
async def small_hub() -> AsyncIterator[SmallHub]:
    """A running small hub."""
    sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], async_handlers=False)
    hub = SmallHub(sio)
    tellings: list[asyncio.Future[None]] = []
    app = web.Application()
    sio.attach(app)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        hub.sids.append(sid)

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        hub.sids.remove(sid)

    @sio.on("subscribe")
    async def subscribe(sid: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = hub.answer(payload)
        changes, hub.told_with_the_answer = hub.told_with_the_answer, 0
        if changes:
            # the answer is queued first when this handler returns; both leave in one write
            asyncio.get_running_loop().call_soon(lambda: tellings.append(asyncio.ensure_future(hub.tell_many(changes))))
        return answer

    @sio.on("unsubscribe")
    async def unsubscribe(sid: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True}

    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await sio.shutdown()
    await runner.cleanup()
    await asyncio.sleep(0)
