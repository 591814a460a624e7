"""Whatever is sent is answered as the document declares, never with a 5xx. More requests by `JUNK_REQUESTS=100000`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
import orjson
import pytest
from yarl import URL

from db.connection import Database
from hub.app import NOUNS
from tests.auth.conftest import bearer
from tests.properties.junk import Junk, Maker
from tests.properties.world import UNKNOWN, make_world
from tests.service.contract import Contract
from tests.signing import sign_in

NewPerson = Callable[..., Awaitable[str]]
REQUESTS = int(os.environ.get("JUNK_REQUESTS", "2000"))
SEED = int(os.environ.get("JUNK_SEED", "7"))
AT_ONCE = 4


async def test_no_junk_is_answered_with_a_5xx(
    hub_url: str,
    hub_database: Database,
    api: aiohttp.ClientSession,
    new_person: NewPerson,
    capsys: pytest.CaptureFixture[str],
) -> None:
    customer_id, rider_id = await new_person(role="customer"), await new_person(role="rider")
    async with hub_database.connection() as conn:
        world = await make_world(conn, api, "north", customer_id=customer_id, rider_id=rider_id)
        everything = "insert into role_grant (person_id, role, scope) values ($1, $2, $3)"
        for grant in (("administrator", "*"), ("manager", "*"), ("rider", "own")):
            await conn.execute(everything, customer_id, *grant)
    ids = [UNKNOWN, world.kitchen_id, world.item_id, world.order_id, world.line_id, world.delivery_id, world.offer_id]
    maker = Maker(SEED, [route for noun in NOUNS for route in noun.routes], ids)
    async with api.get("/v1/openapi.json") as answer:
        contract = Contract(await answer.json())
    statuses: Counter[int] = Counter()
    faults: list[str] = []

    async def send(junk: Junk) -> None:
        url = URL(hub_url + junk.path, encoded=True)
        async with api.request(junk.method, url, data=junk.body, headers=bearer(customer_id) | junk.headers) as answer:
            body = await answer.read()
            statuses[answer.status] += 1
            if answer.status >= 500:
                faults.append(f"{junk}: {answer.status} {body[:200]!r}")
            elif junk.is_of_its_route:
                fault = contract.fault(
                    junk.method, junk.route.path, answer.status, answer.content_type, orjson.loads(body)
                )
                faults.extend([f"{junk}: {fault}"] if fault else [])
            elif answer.status >= 400 and (answer.content_type != "application/problem+json" or b'"code"' not in body):
                faults.append(f"{junk}: {body[:200]!r} is no problem document")
        if answer.status == 401:  # it may have signed itself out
            async with hub_database.connection() as conn:
                await sign_in(conn, customer_id)

    async def some(count: int) -> None:
        for _ in range(count):
            await send(maker.request())

    await asyncio.gather(*(some(REQUESTS // AT_ONCE) for _ in range(AT_ONCE)))
    with capsys.disabled():
        sys.stdout.write(f"\njunk: {sum(statuses.values())} requests (seed {SEED}): {dict(sorted(statuses.items()))}\n")
    assert faults == []
