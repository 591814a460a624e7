"""A process of many clients that hear one event: how many they heard, and how late.

`python -m hub.bench.crowd`: one JSON line of `Crowd` on standard input, `ready` once all have joined. Each further
line is a command: `count N` answers when N deliveries have come (`heard M p50 p99`, milliseconds), and begins anew;
`leave` cuts all of them off at once and ends.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

import msgspec
import uvloop

from hub.bench.talk import say, task_of
from hub.client.socket import Socket

JOINING_AT_ONCE = 50
PATIENCE_SECONDS = 20.0
NOTE = b'"note":"'


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """How many, and where."""

    url: str
    clients: int


class Ears:
    """What all clients of the process have heard since the last count."""

    def __init__(self) -> None:
        self.delays: list[int] = []
        self._enough = 0
        self._come: asyncio.Future[None] | None = None

    def hear(self, text: bytes) -> None:
        """Note how late a delivery is."""
        start = text.index(NOTE) + len(NOTE)
        self.delays.append(time.monotonic_ns() - int(text[start : text.index(b" ", start)]))
        if len(self.delays) >= self._enough and self._come is not None and not self._come.done():
            self._come.set_result(None)

    async def count(self, enough: int) -> str:
        """Wait for so many deliveries; what was heard, in one line."""
        self._enough, self._come = enough, asyncio.get_running_loop().create_future()
        if len(self.delays) < enough:
            await asyncio.wait([self._come], timeout=PATIENCE_SECONDS)
        delays, self.delays = sorted(self.delays), []
        if not delays:
            return "heard 0 0 0"
        p50, p99 = (delays[int((len(delays) - 1) * share)] / 1e6 for share in (0.5, 0.99))
        return f"heard {len(delays)} {p50:.3f} {p99:.3f}"


class Listener(Socket):
    """A client that only notes how late an event is."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        super().__init__(on_event=lambda *_: None, on_lost=lambda _: None)

    def _event(self, text: bytes) -> None:
        self._ears.hear(text)


async def listen(crowd: Crowd) -> None:
    """Join all, then obey."""
    ears = Ears()
    listeners = [Listener(ears) for _ in range(crowd.clients)]
    for at in range(0, len(listeners), JOINING_AT_ONCE):
        await asyncio.gather(*(each.open(crowd.url, {}) for each in listeners[at : at + JOINING_AT_ONCE]))
    gc.collect()
    gc.freeze()
    gc.disable()
    say("ready")
    while (command := (await asyncio.to_thread(sys.stdin.readline)).split()) and command[0] == "count":
        say(await ears.count(int(command[1])))
    for each in listeners:
        each.abort()
    say("gone")


if __name__ == "__main__":
    uvloop.run(listen(task_of(Crowd)))
