"""Clients of a real hub that do not read, or not in time: what becomes of them, and that nobody else notices."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
import pytest
from redis.asyncio import Redis

from hub.client.fold import Change, Present, TopicFold
from hub.embedded.engines import Engines
from hub.realtime.topic_state import MOST_BUFFERED
from tests.realtime.two_hubs import Listener, Pair, listen_at, pair_of_hubs, token_of
from tests.town import sequenced

REDIS_DATABASE = 10
# A transaction of 240 changes of 500 bytes, which a client that reads takes; so many of them are far more than the
# bound and the kernels on both sides hold for one that does not.
TURNS, TIMES = 40, 12
FLOOD = """
do $$ begin for turn in 1..{turns} loop
    update item set name = repeat('x', 200) || turn where kitchen_id = '{kitchen_id}';
end loop; end $$
"""
DISHES = """
insert into item (kitchen_id, brand_id, brand_name, station_id, name, price_minor, currency, prep_seconds)
select kitchen_id, brand_id, brand_name, station_id, repeat('y', 200) || number, 1000, 'INR', 60
from item, generate_series(1, 600) as number where item.id = $1
"""


@pytest.fixture(scope="module")
async def pair(engines: Engines, module_database_url: str) -> AsyncIterator[Pair]:
    """One hub of one worker, with the bound that it has by itself."""
    redis_url = engines.redis_url_of(REDIS_DATABASE)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(module_database_url, redis_url, hubs=1) as one:
        yield one


@pytest.fixture
async def listen(pair: Pair) -> AsyncIterator[Callable[[], Any]]:
    """The manager, on a socket of its own each time."""
    async with AsyncExitStack() as sockets:
        yield lambda: listen_at(sockets, pair.urls[0], token_of(pair.town.manager_id))


@pytest.fixture
async def slow_clients(pair: Pair) -> AsyncIterator[Callable[[], Any]]:
    """How many slow clients the hub has counted."""
    async with aiohttp.ClientSession(pair.urls[0]) as http:

        async def count() -> float:
            async with http.get("/metrics") as answer:
                told = re.search(r"^hotpass_slow_clients_total (\S+)$", await answer.text(), re.MULTILINE)
                return float(told[1]) if told is not None else 0.0

        yield count


async def folded(listener: Listener, topic: str, fold: TopicFold, **place: Any) -> TopicFold:
    """Subscribe, page by page, into a fold."""
    answer, page = await listener.subscribe(topic, **place), 1
    while True:
        if answer["recovered"]:
            for told in answer["changes"]:
                fold.change(msgspec.convert(told, Change))
        else:
            rows, gone = (msgspec.convert(answer[part], list[Present]) for part in ("rows", "gone"))
            fold.snapshot(answer["epoch"], answer["offset"], rows, gone)
        if not answer.get("more"):
            return fold
        answer, page = await listener.subscribe(topic, page=page), page + 1


async def flooded(pair: Pair, awake: Listener) -> int:
    """Many changes, of which a client that reads has had every one; how many."""
    changes = 0
    for _ in range(TIMES):
        await pair.conn.execute(FLOOD.format(turns=TURNS, kitchen_id=pair.town.kitchen_id))
        changes += TURNS * len(pair.town.item_ids)
        await awake.until(lambda: len(awake.offsets(pair.topic)) == changes)  # noqa: B023 - awaited at once
    return changes


async def test_a_client_that_does_not_read_is_dropped_resynced_and_misses_nothing(
    pair: Pair, listen: Callable[[], Any]
):
    topic = pair.topic
    asleep, awake = await listen(), await listen()
    fold = await folded(asleep, topic, TopicFold(topic))
    first = fold.offset + 1
    await awake.subscribe(topic)
    await awake.subscribe(f"menu:{pair.town.kitchen_id}")
    await asleep.subscribe(f"menu:{pair.town.kitchen_id}")
    asleep.socket.pause()
    changes = await flooded(pair, awake)
    await pair.rename("the last")
    await awake.until(lambda: "the last" in awake.names(topic))
    assert awake.offsets(topic) == list(range(first, first + changes + 1))
    assert awake.told("resync") == []

    asleep.socket.resume()
    await asleep.until(lambda: len(asleep.told("resync")) == 2)
    assert {told["topic"] for told in asleep.told("resync")} == {topic, f"menu:{pair.town.kitchen_id}"}
    taken = asleep.offsets(topic)
    assert taken == list(range(first, first + len(taken)))
    assert len(taken) < changes
    of_topic = [name for name, payload in asleep.events if name != "head" and payload.get("topic") == topic]
    assert of_topic == ["change"] * len(taken) + ["resync"]
    for told in asleep.changes(topic):
        fold.change(msgspec.convert(told, Change))
    await folded(asleep, topic, fold, epoch=fold.epoch, offset=fold.offset)
    assert fold.offset == first + changes
    assert (fold.row("item", pair.town.item_ids[0]) or {})["name"] == "the last"
    assert fold.tally.is_clean


async def test_a_slow_client_is_counted_once_until_it_drains_and_not_when_it_goes(
    pair: Pair, listen: Callable[[], Any], slow_clients: Callable[[], Any]
):
    topics = [pair.topic, f"menu:{pair.town.kitchen_id}"]
    before = await slow_clients()
    asleep, awake = await listen(), await listen()
    for topic in topics:
        await asleep.subscribe(topic)
        await awake.subscribe(topic)
    asleep.socket.pause()
    await flooded(pair, awake)
    counted = await slow_clients()
    assert counted > before
    for name in ("refused", "refused again"):
        await pair.rename(name)
        for topic in topics:
            await awake.until(lambda name=name, topic=topic: name in awake.names(topic))
    asleep.socket.abort()
    await pair.rename("after")
    await awake.until(lambda: "after" in awake.names(pair.topic))
    assert await slow_clients() == counted


async def test_a_join_that_has_waited_for_too_many_changes_is_told_to_begin_again(
    pair: Pair, listen: Callable[[], Any]
):
    await pair.conn.execute(DISHES, pair.town.item_ids[0])
    await sequenced(pair.conn)
    dishes = await pair.conn.fetchval("select count(*) from item where kitchen_id = $1", pair.town.kitchen_id)
    late, prompt = await listen(), await listen()
    answer = await late.subscribe(pair.topic)
    assert answer["more"]
    for _ in range(MOST_BUFFERED // dishes + 1):
        await pair.conn.execute(FLOOD.format(turns=1, kitchen_id=pair.town.kitchen_id))
    await sequenced(pair.conn)
    await folded(prompt, pair.topic, TopicFold(pair.topic))  # answered once the hub has passed all of them
    page = 1
    while answer.get("more"):
        answer, page = await late.subscribe(pair.topic, page=page), page + 1
    await late.until(lambda: late.told("resync"))
    assert (late.told("resync"), late.changes(pair.topic)) == ([{"topic": pair.topic}], [])
    fold = await folded(late, pair.topic, TopicFold(pair.topic))
    await pair.rename("heard again")
    await late.until(lambda: late.names(pair.topic) == ["heard again"])
    fold.change(msgspec.convert(late.changes(pair.topic)[0], Change))
    assert fold.tally.is_clean
