"""Somebody who asks the API by its published paths, and holds every answer against the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from tests.caller import Answer, Caller
from tests.service.contract import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks as anybody; `ids` fill the names in a path: `/orders/{order_id}/accept`."""

    contract: Contract

    async def ask(
        self, who: Caller, method: str, path: str, body: dict[str, Any] | None = None, *, query: str = "", **ids: str
    ) -> Answer:
        """One answer, as declared, whatever it is."""
        headers = {"Idempotency-Key": uuid4().hex} if method != "GET" else {}
        sent = None if method == "GET" else orjson.dumps(body or {})
        answer = await who.send(method, path.format(**ids) + query, sent, headers)
        kind = answer.headers["Content-Type"]
        fault = self.contract.fault(method, "/v1" + path, answer.status, kind, answer.body)
        assert fault is None, fault
        return answer

    async def get(self, who: Caller, path: str, query: str = "", **ids: str) -> dict[str, Any]:
        """A good answer to a GET."""
        return await self._good(await self.ask(who, "GET", path, query=query, **ids))

    async def post(self, who: Caller, path: str, body: dict[str, Any] | None = None, **ids: str) -> dict[str, Any]:
        """A good answer to a POST."""
        return await self._good(await self.ask(who, "POST", path, body, **ids))

    async def send(
        self, who: Caller, method: str, path: str, body: dict[str, Any] | None = None, **ids: str
    ) -> dict[str, Any]:
        """A good answer to any method."""
        return await self._good(await self.ask(who, method, path, body, **ids))

    @staticmethod
    async def _good(answer: Answer) -> dict[str, Any]:
        assert answer.status < 300, answer.body
        return dict(answer.body)
