"""What an integrator finds: both standard clients, unchanged, against the hub itself with Postgres and Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.embedded.engines import Engines
from tests.caller import Caller
from tests.faults.proxy import Line, proxy
from tests.realtime.standard_clients import CLIENTS, CLIMBING, NODE, NPM, StandardClient, modules_of_node
from tests.realtime.two_hubs import Pair, Writer, pair_of_hubs, token_of, writing
from tests.town import person

NO_NODE = pytest.mark.skipif(NODE is None or NPM is None, reason="needs node and npm")
KINDS = [pytest.param("javascript", marks=NO_NODE), "python"]
# How either client names what ended it.
CUT = {"javascript": "transport close", "python": "transport error"}
CLOSED = {"javascript": "transport close", "python": "transport error"}
SILENT = {"javascript": "ping timeout", "python": "transport error"}
HURRY = """
import functools, hub.app
patience = {"ping_interval_seconds": 0.3, "ping_timeout_seconds": 0.7}
hub.app.LiveServer = functools.partial(hub.app.LiveServer, **patience)
from hub.cli import main
main()
"""
Make = Callable[..., Awaitable[StandardClient]]


@pytest.fixture(scope="module")
async def pair(engines: Engines, module_database_url: str) -> AsyncIterator[Pair]:
    """One hub of one worker, that lets clients come by polling too."""
    redis_url = engines.redis_url_of(18)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(module_database_url, redis_url, hubs=1, allow_polling=True) as hall:
        yield hall


@pytest.fixture(scope="module")
async def hurried(engines: Engines, new_database: Any) -> AsyncIterator[Pair]:
    """The same hub, but that it looks after its clients all the time."""
    redis_url = engines.redis_url_of(19)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(await new_database(), redis_url, hubs=1, program=("-c", HURRY)) as hall:
        yield hall


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which client."""
    if request.param == "javascript":
        modules_of_node()
    return str(request.param)


@pytest.fixture
async def make(kind: str, pair: Pair) -> AsyncIterator[Make]:
    """Opens a client, by default as the town's manager."""
    async with AsyncExitStack() as closing:

        async def opened(auth: dict[str, str] | None = None, *, url: str = "", **options: Any) -> StandardClient:
            client = CLIENTS[kind]()
            closing.push_async_callback(client.close)
            token = token_of(pair.town.manager_id)
            await client.open(url or pair.urls[0], {"token": token} if auth is None else auth, **options)
            return client

        yield opened


async def in_touch(client: StandardClient, topic: str, **place: int) -> dict[str, Any]:
    """The answer of a `subscribe`, once the client is connected."""
    times = len(client.told("disconnect"))
    await client.until(lambda: len(client.told("connect")) > times)
    answer: dict[str, Any] = await client.ask("subscribe", {"topic": topic, **place})
    assert answer["ok"], answer
    return answer


async def test_a_client_joins_subscribes_and_hears_every_change(pair: Pair, make: Make):
    client = await make()
    answer = await in_touch(client, pair.topic)
    assert (answer["topic"], answer["recovered"], answer["gone"]) == (pair.topic, False, [])
    assert {"item", "kitchen", "station"} <= {row["entity"] for row in answer["rows"]}
    names = [f"name {number}" for number in range(5)]
    for name in names:
        await pair.rename(name)
    heard = await client.until(lambda: (heard := client.changes(pair.topic))[4:] and heard)
    assert [change["offset"] for change in heard] == [answer["offset"] + step for step in (1, 2, 3, 4, 5)]
    assert [change["row"]["name"] for change in heard] == names
    assert client.told("connect") == ["websocket"] and not client.told("disconnect")


async def test_every_question_has_its_answer(pair: Pair, make: Make):
    client = await make()
    await in_touch(client, pair.topic)
    foreign = f"rider:{pair.town.customer_ids[0]}"
    asked: list[tuple[str, Any]] = [
        ("unsubscribe", {"topic": pair.topic}), ("subscribe", {"topic": foreign}), ("subscribe", "kitchen"),
        ("no such event", {}),
    ]  # fmt: skip
    done, *refused = [await client.ask(event, payload) for event, payload in asked]
    assert done == {"ok": True}
    assert [(answer["ok"], answer["error"]["code"]) for answer in refused] == [
        (False, "forbidden"), (False, "bad_request"), (False, "bad_request"),
    ]  # fmt: skip
    assert all(answer["error"]["message"] for answer in refused)


@pytest.mark.parametrize(
    ("auth", "code", "message"),
    [
        ({}, "auth.required", "connect with auth: {token}, {device} or {tracking}"),
        ({"token": "no token"}, "auth.invalid", ""),
        ({"device": "no tablet"}, "auth.invalid", "this tablet is not paired, or was removed: pair it again"),
        ({"tracking": "no link"}, "auth.invalid", "this tracking link is not known, or no longer"),
    ],
)
async def test_a_refused_client_learns_code_and_message(make: Make, auth: dict[str, str], code: str, message: str):
    client = await make(auth)
    (told,) = await client.until(lambda: client.told("connect_error"))
    assert told["data"] == {"code": code} and told.keys() == {"message", "data"}
    assert message in told["message"] and told["message"]
    assert not client.told("connect")


async def missed(client: StandardClient, pair: Pair, writer: Writer, answer: dict[str, Any]) -> None:
    """What came before the absence, what the answer after it tells and what comes then are one row without a hole."""
    await writer.more()
    before = len(client.changes(pair.topic))
    await client.until(lambda: len(client.changes(pair.topic)) > before)
    assert answer["recovered"] is True and len(answer["changes"]) >= 1
    offsets = [change["offset"] for change in client.changes(pair.topic)]
    told = [change["offset"] for change in answer["changes"]]
    assert told == list(range(told[0], answer["offset"] + 1))
    at = offsets.index(answer["offset"] + 1)
    assert offsets[:at] + told + offsets[at:] == list(range(offsets[0], offsets[-1] + 1))


async def test_a_client_that_was_cut_off_gets_exactly_what_it_missed(pair: Pair, kind: str, make: Make):
    line = Line()
    async with proxy(pair.urls[0], line=line) as url, writing(pair) as writer:
        client = await make(url=url)
        first = await in_touch(client, pair.topic)
        await client.until(lambda: client.changes(pair.topic))
        line.is_down = True
        line.cut()
        assert await client.until(lambda: client.told("disconnect")) == [CUT[kind]]
        await writer.more()
        line.is_down = False
        await client.until(lambda: len(client.told("connect")) == 2)
        last = client.changes(pair.topic)[-1]["offset"]
        answer = await in_touch(client, pair.topic, epoch=first["epoch"], offset=last)
        assert answer["changes"][0]["offset"] == last + 1
        await missed(client, pair, writer, answer)


async def test_a_new_token_goes_over_the_live_socket(pair: Pair, make: Make):
    client = await make({"token": token_of(pair.town.manager_id, lifetime_seconds=50)})
    await in_touch(client, pair.topic)
    (warned,) = await client.until(lambda: client.told("expiring"))
    refused = await client.ask("authenticate", {"token": token_of(await person(pair.conn, "Stranger"))})
    assert (refused["ok"], refused["error"]["code"]) == (False, "forbidden")
    answer = await client.ask("authenticate", {"token": token_of(pair.town.manager_id)})
    assert answer["ok"] and answer["expires_at"] > warned["at"]
    await pair.rename("still there")
    await client.until(lambda: client.changes(pair.topic))


async def test_a_client_that_is_logged_out_is_told_why(pair: Pair, kind: str, make: Make):
    boss_id = await person(pair.conn, "Boss", ("administrator", "*"))
    client = await make({"token": token_of(boss_id)})
    await in_touch(client, pair.topic)
    async with aiohttp.ClientSession(pair.urls[0]) as http:
        await Caller(session=http, person_id=boss_id).done("/auth/logout")
    told = await client.until(lambda: client.told("disconnect"))
    assert client.told("closing") == [{"code": "auth.revoked", "reconnect": False}]
    assert told == [CLOSED[kind]]
    # Both try again; the hub knows them no longer.
    refused = await client.until(lambda: client.told("connect_error"))
    assert refused[0]["data"] == {"code": "auth.revoked"}


async def test_a_client_climbs_from_polling_and_misses_nothing_on_its_way(pair: Pair, kind: str, make: Make):
    async with writing(pair) as writer:
        client = await make(transports=CLIMBING)
        first = await in_touch(client, pair.topic)
        if kind == "javascript":
            assert await client.until(lambda: client.told("upgrade")) == ["websocket"]
        else:
            assert client.told("connect") == ["websocket"]  # it climbs before it joins
        await writer.more()
        seen = len(client.changes(pair.topic))
        await client.until(lambda: len(client.changes(pair.topic)) > seen)
    offsets = [change["offset"] for change in client.changes(pair.topic)]
    assert offsets == list(range(first["offset"] + 1, offsets[-1] + 1))


async def test_a_client_recovers_when_its_worker_is_killed(pair: Pair, kind: str, make: Make):
    async with writing(pair) as writer:
        client = await make()
        first = await in_touch(client, pair.topic)
        await client.until(lambda: client.changes(pair.topic))
        (worker,) = pair.hubs[0].workers()
        worker.kill()
        assert await client.until(lambda: client.told("disconnect")) == [CUT[kind]]
        last = client.changes(pair.topic)[-1]["offset"]
        await writer.more()
        answer = await in_touch(client, pair.topic, epoch=first["epoch"], offset=last)
        await missed(client, pair, writer, answer)


async def test_a_client_whose_line_falls_silent_notices_and_recovers(hurried: Pair, kind: str, make: Make):
    line = Line()
    async with proxy(hurried.urls[0], line=line) as url, writing(hurried) as writer:
        client = await make({"token": token_of(hurried.town.manager_id)}, url=url)
        first = await in_touch(client, hurried.topic)
        await client.until(lambda: client.changes(hurried.topic))
        if kind == "javascript":
            await client.until(lambda: len(client.told("ping")) > 3)
        line.is_down = True
        line.silence()
        assert await client.until(lambda: client.told("disconnect")) == [SILENT[kind]]
        last = client.changes(hurried.topic)[-1]["offset"]
        await writer.more()
        line.is_down = False
        answer = await in_touch(client, hurried.topic, epoch=first["epoch"], offset=last)
        await missed(client, hurried, writer, answer)
