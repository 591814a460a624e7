"""The exchange of refresh tokens: each is spent once, however many tabs ask."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.client.errors import ApiError
from ui.session import REPEAT_SECONDS, Cookie, Exchange, Tokens


class Rotation:
    """A hub's refresh route: a token is good once; a second use is told as theft."""

    def __init__(self) -> None:
        self.good = {"r0"}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def refresh(self, token: str, _: str | None) -> dict[str, Any]:
        self.asked.append(token)
        await self.gate.wait()
        if token not in self.good:
            raise ApiError(status=401, code="auth.revoked", detail="used before", fields={})
        self.good.remove(token)
        fresh = f"r{len(self.asked)}"
        self.good.add(fresh)
        return {"access_token": "a", "expires_at": "2026-11-25T13:00:00+00:00", "refresh_token": fresh}


async def test_tabs_that_ask_together_share_one_exchange() -> None:
    hub = Rotation()
    hub.gate.clear()
    exchange = Exchange(hub.refresh)
    tabs = [asyncio.create_task(exchange.tokens("r0")) for _ in range(5)]
    await asyncio.sleep(0)
    hub.gate.set()
    assert {tokens.refresh_token for tokens in await asyncio.gather(*tabs)} == {"r1"}
    assert hub.asked == ["r0"]


async def test_a_lost_answer_is_given_again_and_then_forgotten() -> None:
    hub = Rotation()
    now = 0.0
    exchange = Exchange(hub.refresh, monotonic=lambda: now)
    assert (await exchange.tokens("r0")).refresh_token == "r1"
    assert (await exchange.tokens("r0")).refresh_token == "r1"
    now = REPEAT_SECONDS + 1
    with pytest.raises(ApiError):
        await exchange.tokens("r0")


async def test_a_refusal_is_not_kept() -> None:
    hub = Rotation()
    exchange = Exchange(hub.refresh)
    for _ in range(2):
        with pytest.raises(ApiError):
            await exchange.tokens("stolen")
    assert hub.asked == ["stolen", "stolen"]


async def test_a_tab_that_is_closed_does_not_take_the_exchange_with_it() -> None:
    hub = Rotation()
    hub.gate.clear()
    exchange = Exchange(hub.refresh)
    closed, open_tab = (asyncio.create_task(exchange.tokens("r0")) for _ in range(2))
    await asyncio.sleep(0)
    closed.cancel()
    hub.gate.set()
    assert (await open_tab).refresh_token == "r1"


@pytest.mark.parametrize("told", ["2026-11-25T13:00:00+00:00", datetime(2026, 11, 25, 13, tzinfo=UTC).timestamp()])
def test_the_person_and_the_expiry_are_read_from_the_answer(told: Any) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "019b76da"}).encode()).decode().rstrip("=")
    answer = {"access_token": f"x.{claims}.x", "expires_at": told, "refresh_token": "r"}
    tokens = Tokens.read(answer)
    assert tokens.person_id == "019b76da"
    assert datetime.fromtimestamp(tokens.expires_at, UTC).hour == 13


def test_the_cookie_is_bound_to_the_host_wherever_there_is_tls() -> None:
    assert Cookie(is_secure=True).name.startswith("__Host-")
    assert not Cookie(is_secure=False).name.startswith("__")
