"""The HTTP client against a real server: the same key again until there is a final answer, problems as errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from hub.client.errors import ApiError, Unreachable
from hub.client.http import Api, open_session

Answer = tuple[int, dict[str, Any], dict[str, str]]


@dataclass
class Server:
    """Answers with what stands first in `answers`, or cuts the connection for a status of 0."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.path_qs, dict(request.headers), body))
        status, content, headers = self.answers.pop(0) if self.answers else (200, {"ok": True}, {})
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response(content, status=status, headers=headers)

    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for _, headers, _ in self.requests]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    known = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", known.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    known.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield known
    await runner.cleanup()


@pytest_asyncio.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with open_session() as session:
        yield Api(
            hub_url=server.url, session=session, token=lambda: f"token-{len(server.requests)}", patience_seconds=5
        )
    # aiohttp closes its transports one turn of the loop later
    await asyncio.sleep(0)


async def test_the_same_key_is_sent_again_until_the_hub_answers(server: Server, api: Api) -> None:
    server.answers = [(503, {"code": "unavailable"}, {}), (0, {}, {}), (409, {"code": "idempotency.in_progress"}, {})]
    assert await api.move_order("1", "ready") == {"ok": True}
    assert len(server.requests) == 4
    assert len(set(server.keys())) == 1


async def test_each_action_has_its_own_key_and_a_given_one_is_kept(server: Server, api: Api) -> None:
    await api.move_line("1", "start")
    await api.move_line("1", "start")
    await api.move_line("1", "start", key="mine")
    assert len(set(server.keys())) == 3
    assert server.keys()[2] == "mine"


async def test_retry_after_is_respected(server: Server, api: Api) -> None:
    server.answers = [(429, {"code": "rate_limited"}, {"Retry-After": "1"})]
    begun = asyncio.get_running_loop().time()
    await api.answer_offer("1", "accept")
    assert asyncio.get_running_loop().time() - begun >= 0.5


async def test_a_problem_is_an_error_with_its_fields(server: Server, api: Api) -> None:
    problem = {"code": "order.wrong_state", "detail": "cannot ready", "present": "placed", "legal": ["accept"]}
    server.answers = [(409, problem, {})]
    with pytest.raises(ApiError) as caught:
        await api.move_order("1", "ready", version=3)
    assert (caught.value.status, caught.value.code, caught.value.detail) == (409, "order.wrong_state", "cannot ready")
    assert caught.value.fields == {"present": "placed", "legal": ["accept"]}
    assert server.requests[0][1]["If-Match"] == '"3"'


async def test_an_expired_token_is_replaced_once(server: Server, api: Api) -> None:
    server.answers = [(401, {"code": "auth.expired"}, {})]
    await api.me()
    assert [headers["Authorization"] for _, headers, _ in server.requests] == ["Bearer token-0", "Bearer token-1"]
    server.answers = [(401, {"code": "auth.expired"}, {})] * 2
    with pytest.raises(ApiError):
        await api.me()


async def test_patience_ends(server: Server) -> None:
    async with open_session() as session:
        api = Api(hub_url="http://127.0.0.1:9", session=session, patience_seconds=0.2)
        with pytest.raises(Unreachable):
            await api.clock()


async def test_a_query_leaves_out_what_was_not_given(server: Server, api: Api) -> None:
    server.answers = [(200, {"orders": [], "next": None}, {})]
    await api.orders(status="ready", limit=5)
    assert server.requests[0][0] == "/v1/orders?status=ready&limit=5"
