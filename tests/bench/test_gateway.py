"""What the gateway costs a request: CPU of an authenticated route less that of a bare one, both ends in one process.

Bare and whole take turns, and the median of their differences is told: a neighbour on the machine moves both.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from db.connection import Database
from tests.auth.conftest import api, bearer, hub_database, hub_url, new_person

__all__ = ["api", "database", "hub_database", "hub_url", "new_person"]

NewPerson = Callable[..., Awaitable[str]]
TURNS, ROUNDS = 15, 100


@pytest.fixture
def database(hub_database: Database) -> Database:
    """People are added to the hub's own database."""
    return hub_database


async def cpu_milliseconds(api: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> float:
    """CPU of this process for one request, the mean of many."""
    started = time.process_time()
    for _ in range(ROUNDS):
        async with api.get(path, headers=headers) as answer:
            await answer.read()
            assert answer.status == 200
    return (time.process_time() - started) / ROUNDS * 1000


async def test_what_the_gateway_costs_a_request(
    api: aiohttp.ClientSession, new_person: NewPerson, capsys: pytest.CaptureFixture[str]
) -> None:
    who = bearer(await new_person(role="cook", scope="*"))
    await cpu_milliseconds(api, "/v1/roles/table", who)
    turns = [
        (await cpu_milliseconds(api, "/livez", {}), await cpu_milliseconds(api, "/v1/roles/table", who))
        for _ in range(TURNS)
    ]
    cost = statistics.median(whole - bare for bare, whole in turns)
    bare, whole = (statistics.median(each) for each in zip(*turns, strict=True))
    with capsys.disabled():
        sys.stdout.write(f"\ngateway: {cost:.2f} ms CPU a request ({whole:.2f} whole, {bare:.2f} bare)\n")
