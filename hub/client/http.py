"""One method per route of our HTTP API, for one person.

Every POST carries an idempotency key, one per action; while the hub is away (connection failures, 429, 502–504, a key
still in progress) the same key is sent again, so an action happens once or not at all, never twice. Times and ids are
text, money is minor units, rows are plain dictionaries as `hub.domain.views` cuts them.

NOTE: the session must not be the one of an aiohttp WebSocket: connections of a shared one were cut after 5 s.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from hub.client.errors import ApiError, Unreachable

Json = dict[str, Any]
PATIENCE_SECONDS = 60.0
REQUEST_TIMEOUT_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
PASSING_STATUSES = frozenset({429, 502, 503, 504})
PASSING_CODES = frozenset({"idempotency.in_progress"})


def open_session(*, connections: int = 100, source_address: str | None = None) -> aiohttp.ClientSession:
    """A session that any number of `Api` objects may share, from an address of this host; close it at the end."""
    local = None if source_address is None else (source_address, 0)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=30, local_addr=local),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS),
        json_serialize=lambda value: orjson.dumps(value).decode(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API as one person sees it. `token()` gives a valid access token; None is for the public routes.

    `forwarded_for` is whose address a server in between asks for; the hub believes it from its trusted proxies only.
    """

    hub_url: str
    session: aiohttp.ClientSession
    token: Callable[[], str] | None = None
    patience_seconds: float = PATIENCE_SECONDS
    forwarded_for: str | None = None

    # the person
    async def me(self) -> Json:
        """The person, the grants and the topics that may be subscribed to."""
        return await self.get("/v1/me")

    async def clock(self) -> Json:
        """The product clock: `at` and `rate`."""
        return await self.get("/v1/clock")

    async def enter_demo(self, link: str) -> Json:
        """Exchange a single-use demo link for tokens (embedded profile only)."""
        return await self.post("/v1/auth/demo", {"link": link})

    async def refresh(self, refresh_token: str) -> Json:
        """Rotate a refresh token."""
        return await self.post("/v1/auth/refresh", {"refresh_token": refresh_token})

    # kitchens
    async def kitchens(self, *, region: str | None = None) -> list[Json]:
        """Every kitchen, or those of a region."""
        answer = await self.get("/v1/kitchens", region=region)
        return list(answer["kitchens"])

    async def menu(self, kitchen_id: str) -> Json:
        """The kitchen, its brands and its items."""
        return await self.get(f"/v1/kitchens/{kitchen_id}/menu")

    async def pause_kitchen(self, kitchen_id: str, *, minutes: int, reason: str, key: str | None = None) -> Json:
        """Take no orders for a while."""
        return await self.post(f"/v1/kitchens/{kitchen_id}/pause", {"minutes": minutes, "reason": reason}, key=key)

    async def resume_kitchen(self, kitchen_id: str, *, key: str | None = None) -> Json:
        """Take orders again."""
        return await self.post(f"/v1/kitchens/{kitchen_id}/resume", {}, key=key)

    async def move_item(self, kitchen_id: str, item_id: str, move: str, *, key: str | None = None) -> Json:
        """`86` takes a dish off the menu, `back` returns it."""
        return await self.post(f"/v1/kitchens/{kitchen_id}/items/{item_id}/{move}", {}, key=key)

    # orders
    async def quote(self, *, kitchen_id: str, items: list[Json], drop: Json) -> Json:
        """What an order would cost and when it would come."""
        body = {"kitchen_id": kitchen_id, "items": items, "drop": drop}
        return dict((await self.post("/v1/quotes", body))["quote"])

    async def place_order(
        self, *, kitchen_id: str, items: list[Json], drop: Json, note: str | None = None, key: str | None = None
    ) -> Json:
        """Place an order, paid in cash: {order, lines, tracking}."""
        body: Json = {"kitchen_id": kitchen_id, "items": items, "drop": drop, "payment_method": "cash"}
        return await self.post("/v1/orders", body | ({"note": note} if note else {}), key=key)

    async def orders(
        self,
        *,
        status: str | None = None,
        kitchen_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Json:
        """One page of orders: {orders, next}."""
        return await self.get("/v1/orders", status=status, kitchen_id=kitchen_id, after=after, limit=limit)

    async def order(self, order_id: str) -> Json:
        """One order: {order, lines, delivery, payment}."""
        return await self.get(f"/v1/orders/{order_id}")

    async def timeline(self, order_id: str) -> list[Json]:
        """What happened to an order, oldest first."""
        return list((await self.get(f"/v1/orders/{order_id}/timeline"))["events"])

    async def move_order(
        self, order_id: str, move: str, body: Json | None = None, *, key: str | None = None, version: int | None = None
    ) -> Json:
        """accept, reject, delay, amend, rush, ready, recall, cancel."""
        return await self.post(f"/v1/orders/{order_id}/{move}", body or {}, key=key, version=version)

    async def move_line(
        self, line_id: str, move: str, body: Json | None = None, *, key: str | None = None, version: int | None = None
    ) -> Json:
        """start, done, check, undo, recall, remake, void."""
        return await self.post(f"/v1/lines/{line_id}/{move}", body or {}, key=key, version=version)

    # deliveries
    async def deliveries(self, *, status: str | None = None) -> Json:
        """One page of deliveries."""
        return await self.get("/v1/deliveries", status=status)

    async def move_delivery(
        self,
        delivery_id: str,
        move: str,
        body: Json | None = None,
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> Json:
        """assign, unassign, arrive, pick-up, at-door, deliver, fail, return."""
        return await self.post(f"/v1/deliveries/{delivery_id}/{move}", body or {}, key=key, version=version)

    async def answer_offer(self, offer_id: str, move: str, *, key: str | None = None) -> Json:
        """accept or decline."""
        return await self.post(f"/v1/offers/{offer_id}/{move}", {}, key=key)

    # riders
    async def riders(self, *, region: str | None = None) -> list[Json]:
        """The riders, or those of a region."""
        return list((await self.get("/v1/riders", region=region))["riders"])

    async def move_shift(self, rider_id: str, move: str, body: Json | None = None, *, key: str | None = None) -> Json:
        """start, break, end."""
        return await self.post(f"/v1/riders/{rider_id}/shift/{move}", body or {}, key=key)

    async def send_positions(self, points: list[Json]) -> Json:
        """Positions over HTTP, where no socket is at hand."""
        return await self.post("/v1/positions", {"points": points})

    # any route
    async def get(self, path: str, **query: str | int | None) -> Json:
        """GET a JSON object. Raises `ApiError` or `Unreachable`."""
        wanted = {name: str(value) for name, value in query.items() if value is not None}
        return await self._until_answered("GET", path, query=wanted, body=None, headers={})

    async def post(self, path: str, body: Json, *, key: str | None = None, version: int | None = None) -> Json:
        """POST under one idempotency key (a fresh one by default). Raises `ApiError` or `Unreachable`."""
        headers = {"Idempotency-Key": key or str(uuid4()), "Content-Type": "application/json"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self._until_answered("POST", path, query={}, body=orjson.dumps(body), headers=headers)

    async def _until_answered(
        self, method: str, path: str, *, query: dict[str, str], body: bytes | None, headers: dict[str, str]
    ) -> Json:
        """Send until a final answer comes, at most `patience_seconds` long; one fresh token after a 401."""
        end = time.monotonic() + self.patience_seconds
        pause = FIRST_PAUSE_SECONDS
        was_refreshed = False
        while True:
            wait = pause
            try:
                return await self._once(method, path, query=query, body=body, headers=headers)
            except ApiError as error:
                if error.status == 401 and self.token is not None and not was_refreshed:
                    was_refreshed = True
                    continue
                if error.status not in PASSING_STATUSES and error.code not in PASSING_CODES:
                    raise
                reason: Exception = error
                wait = max(pause, float(error.fields.get("retry_after", 0)))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
                reason = error
            if time.monotonic() + wait > end:
                if isinstance(reason, ApiError) and reason.status == 429:
                    raise reason  # it was answered: the hub is there, and says for how long it wants no more
                raise Unreachable(f"{method} {path}: {reason!r} for {self.patience_seconds} s") from reason
            await asyncio.sleep(wait * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _once(
        self, method: str, path: str, *, query: dict[str, str], body: bytes | None, headers: dict[str, str]
    ) -> Json:
        sent = dict(headers)
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token()}"
        if self.forwarded_for is not None:
            sent["X-Forwarded-For"] = self.forwarded_for
        url = self.hub_url.rstrip("/") + path
        async with self.session.request(method, url, params=query, data=body, headers=sent) as response:
            content = await response.read()
            if response.status < 400:
                return dict(orjson.loads(content)) if content else {}
            raise _problem(response.status, content, response.headers.get("Retry-After"))


def _problem(status: int, content: bytes, retry_after: str | None) -> ApiError:
    """The error that an answer tells; anything that is not problem+json becomes `http.<status>`."""
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        told = None
    told = dict(told) if isinstance(told, dict) else {}
    if retry_after is not None and retry_after.isdigit():
        told.setdefault("retry_after", int(retry_after))
    code, detail = str(told.pop("code", f"http.{status}")), str(told.pop("detail", ""))
    return ApiError(status=status, code=code, detail=detail, fields=told)
