"""Where commands are made over HTTP: the town, its people, chance, and which command succeeded how often.

Each command says for itself how it is asked, so that the database takes it: by whom, on what, with which body. It finds
something that it can be made on, by chance, or makes it first, through further commands. What races with another may
be refused; asked alone, each of them succeeds.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from tests.caller import Caller, Json
from tests.course import Cast

PARAMETER = re.compile(r"<(\w+):uuid>")
WHY = {"reason": "because it must be"}
Name = tuple[str, str]  # method and path below /v1


class Refused(Exception):
    """A command was answered with a refusal, or found nothing any more that it could be made on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: who asks, the ids in its path, its body; `token` when it is not the usual one of `who`."""

    who: Caller
    ids: tuple[str, ...] = ()
    body: Json = field(default_factory=dict)
    token: str | None = None


@dataclass(slots=True, kw_only=True)
class Stage:
    """One walk."""

    cast: Cast
    admin: Caller
    chance: random.Random
    secret: str
    made: Counter[Name] = field(default_factory=Counter)

    async def make(self, method: str, path: str) -> Json:
        """Make one command as it says itself; its answer. Raises `Refused`."""
        return await self.ask(method, path, await COMMANDS[method, path](self))

    async def ask(self, method: str, path: str, ask: Ask) -> Json:
        """Make one command as told; its answer. Raises `Refused`."""
        ids = iter(ask.ids)
        headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
        if ask.token is not None:
            headers["Authorization"] = f"Bearer {ask.token}"
        filled = PARAMETER.sub(lambda _: next(ids), path)
        answer = await ask.who.send(method, filled, orjson.dumps(ask.body), headers)
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {answer.body}")
        self.made[method, path] += 1
        return answer.body

    async def one(self, query: str, *values: Any) -> Any:
        """A row of the query by chance; None when there is none."""
        rows = await self.cast.conn.fetch(query, *values)
        return self.chance.choice(rows) if rows else None

    async def sure(self, query: str, *values: Any) -> Any:
        """A row of the query by chance. Raises `Refused` when another command was quicker."""
        if (row := await self.one(query, *values)) is None:
            raise Refused("what was to be moved has moved on")
        return row

    @property
    def nobody(self) -> Caller:
        """Somebody who is not signed in."""
        return self.cast.as_person(None)


COMMANDS: dict[Name, Callable[[Stage], Awaitable[Ask]]] = {}


def command(method: str, path: str) -> Callable[[Callable[[Stage], Awaitable[Ask]]], Any]:
    """The decorated function says how this route is asked."""

    def register(how: Callable[[Stage], Awaitable[Ask]]) -> Any:
        COMMANDS[method, path] = how
        return how

    return register


def in_days(days: float) -> str:
    """A moment of the real clock, as bodies name it."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()
