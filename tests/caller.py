"""Somebody who calls the hub's API over a real connection, and sees everything that comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from tests.town import access_token

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: its status, its headers and its JSON."""

    status: int
    headers: Any
    body: Json

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.body["code"])

    @property
    def refusal(self) -> tuple[int, str]:
        """(status, code) of a refusal."""
        return self.status, self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person, or nobody, at the hub's door."""

    session: aiohttp.ClientSession
    person_id: str | None = None

    def headers(self) -> dict[str, str]:
        """What says who it is."""
        return {} if self.person_id is None else {"Authorization": f"Bearer {access_token(self.person_id)}"}

    async def get(self, path: str, **headers: str) -> Answer:
        """GET below /v1."""
        return await self.send("GET", path, None, headers)

    async def post(
        self, path: str, body: Json | bytes | None = None, *, key: str | None = None, version: int | None = None
    ) -> Answer:
        """POST below /v1 under one idempotency key, a fresh one by default."""
        headers = {"Idempotency-Key": key or uuid4().hex, "Content-Type": "application/json"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self.send("POST", path, body if isinstance(body, bytes) else orjson.dumps(body or {}), headers)

    async def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request, sent once; no answer to any input is a 5xx."""
        sent = self.headers() | headers
        async with self.session.request(method, "/v1" + path, data=body, headers=sent) as answer:
            content = await answer.read()
            assert answer.status < 500, (method, path, content)
            return Answer(status=answer.status, headers=answer.headers, body=orjson.loads(content) if content else {})

    async def done(self, path: str, body: Json | None = None) -> Json:
        """POST what must succeed; the answer's body."""
        answer = await self.post(path, body)
        assert answer.status in {200, 201}, answer.body
        return answer.body
