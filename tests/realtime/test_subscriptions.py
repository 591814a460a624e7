"""What a subscriber is promised: the present state, then every change; after an absence exactly what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from db import pipeline
from db.upkeep import drop_day
from hub.client.errors import AskRefused, ConnectRefused
from hub.client.fold import Change, Present, TopicFold
from hub.client.live import Live
from hub.embedded.engines import Engines
from tests.realtime.two_hubs import RENAME, Hall, Listener, listen_as, token_of
from tests.town import ITEMS, PATIENCE_SECONDS, found, person, place, sequenced, sequencing, serving, track

REDIS_DATABASE = 126
numbers = count(1)


@asynccontextmanager
async def two_hubs(database_url: str, redis_url: str) -> AsyncIterator[tuple[str, str]]:
    async with (
        sequencing(database_url, redis_url),
        serving(database_url, redis_url) as first,
        serving(database_url, redis_url) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
async def urls(engines: Engines, module_database_url: str) -> AsyncIterator[tuple[str, str]]:
    """The hubs that most tests share; each test has a town of its own."""
    redis_url = engines.redis_url_of(REDIS_DATABASE)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with two_hubs(module_database_url, redis_url) as urls:
        yield urls


@asynccontextmanager
async def hall_of(database_url: str, urls: tuple[str, str]) -> AsyncIterator[Hall]:
    conn = await asyncpg.connect(database_url)
    town = await found(conn, region=f"town-{next(numbers)}")
    await sequenced(conn)
    yield Hall(urls=urls, conn=conn, town=town)
    await conn.close()


@pytest.fixture
async def hall(module_database_url: str, urls: tuple[str, str]) -> AsyncIterator[Hall]:
    async with hall_of(module_database_url, urls) as hall:
        yield hall


@pytest.fixture
async def own_hall(database_url: str, redis_url: str) -> AsyncIterator[Hall]:
    """For a test after which a database is no longer what it was."""
    async with two_hubs(database_url, redis_url) as urls, hall_of(database_url, urls) as hall:
        yield hall


@pytest.fixture
async def listen() -> AsyncIterator[Callable[..., Any]]:
    """Joins a hub: as a person, or with `tracking` by that token."""
    async with AsyncExitStack() as sockets:

        async def join(url: str, person_id: str = "", *, tracking: str = "") -> Listener:
            return await listen_as(sockets, url, {"tracking": tracking} if tracking else {"token": token_of(person_id)})

        yield join


async def test_a_newcomer_gets_the_present_state_then_every_change(hall: Hall, listen: Callable[..., Any]):
    manager = await listen(hall.urls[0], hall.town.manager_id)
    answer = await manager.subscribe(hall.topic)
    assert answer["recovered"] is False and answer["gone"] == []
    entities = [row["entity"] for row in answer["rows"]]
    assert (entities.count("item"), entities.count("kitchen"), entities.count("station")) == (6, 1, 1)
    for number in range(3):
        await hall.rename(f"name {number}")
    told = await manager.until(lambda: (found := manager.changes(hall.topic))[2:] and found)
    assert [change["offset"] for change in told] == [answer["offset"] + step for step in (1, 2, 3)]
    assert [change["row"]["name"] for change in told] == ["name 0", "name 1", "name 2"]
    assert [change["version"] for change in told] == [2, 3, 4]


@pytest.mark.parametrize("hub", [0, 1], ids=["from the worker's memory", "from the log, on another worker"])
async def test_after_an_absence_exactly_what_was_missed(hall: Hall, listen: Callable[..., Any], hub: int):
    keeper = await listen(hall.urls[0], hall.town.manager_id)
    answer = await keeper.subscribe(hall.topic)
    for number in range(5):
        await hall.rename(f"missed {number}")
    await keeper.until(lambda: len(keeper.changes(hall.topic)) == 5)
    back = await listen(hall.urls[hub], hall.town.manager_id)
    again = await back.subscribe(hall.topic, epoch=answer["epoch"], offset=answer["offset"] + 2)
    assert again["recovered"] is True
    assert again["changes"] == keeper.changes(hall.topic)[2:]
    assert again["offset"] == answer["offset"] + 5
    nothing = await back.subscribe(hall.topic, epoch=answer["epoch"], offset=answer["offset"] + 5)
    assert nothing["recovered"] is True and nothing["changes"] == []


async def test_a_place_that_cannot_be_resumed_is_said_so(hall: Hall, listen: Callable[..., Any]):
    manager = await listen(hall.urls[0], hall.town.manager_id)
    here = await manager.subscribe(hall.topic)
    for epoch, offset in ((here["epoch"] + 1, here["offset"]), (here["epoch"], here["offset"] + 1), (0, 0)):
        answer = await manager.subscribe(hall.topic, epoch=epoch, offset=offset)
        assert answer["recovered"] is False
        assert (answer["epoch"], answer["offset"], len(answer["rows"])) == (
            here["epoch"],
            here["offset"],
            len(here["rows"]),
        )


async def test_history_older_than_the_log_is_not_called_recovered(own_hall: Hall, listen: Callable[..., Any]):
    hall = own_hall
    manager = await listen(hall.urls[0], hall.town.manager_id)
    here = await manager.subscribe(hall.topic)
    await drop_day(
        hall.conn, await hall.conn.fetchval("select to_char(clock_timestamp() at time zone 'utc', 'YYYYMMDD')")
    )
    back = await listen(hall.urls[1], hall.town.manager_id)
    old = await back.subscribe(hall.topic, epoch=here["epoch"], offset=here["offset"] - 1)
    assert (old["recovered"], old["offset"]) == (False, here["offset"])
    current = await back.subscribe(hall.topic, epoch=here["epoch"], offset=here["offset"])
    assert (current["recovered"], current["changes"]) == (True, [])


@pytest.mark.parametrize(
    "payload",
    [
        None, [], "kitchen", {}, {"topic": 7}, {"topic": "kitchen:"}, {"topic": "no:such"}, {"topic": "m" * 80},
        {"topic": "menu:{kitchen}", "offset": -1}, {"topic": "menu:{kitchen}", "epoch": "1"},
        {"topic": "menu:{kitchen}", "offset": True}, {"topic": "menu:{kitchen}", "offset": 2**63},
        {"topic": "menu:{kitchen}", "page": 1}, {"topic": "menu:{kitchen}", "more": 1},
    ],
)  # fmt: skip
async def test_what_is_no_question_is_a_bad_request(hall: Hall, listen: Callable[..., Any], payload: Any):
    if isinstance(payload, dict) and isinstance(payload.get("topic"), str):
        payload = payload | {"topic": payload["topic"].replace("{kitchen}", hall.town.kitchen_id)}
    manager = await listen(hall.urls[0], hall.town.manager_id)
    assert (await manager.refused("subscribe", payload)).code == "bad_request"
    assert (await manager.subscribe(hall.topic))["ok"]  # the socket stays open


async def test_what_is_foreign_answers_like_what_does_not_exist(hall: Hall, listen: Callable[..., Any]):
    placed = await place(hall.conn, hall.town, customer=0)
    stranger = await listen(hall.urls[0], hall.town.customer_ids[1])
    foreign = [
        hall.topic,
        f"order:{placed.order_id}",
        f"rider:{hall.town.rider_ids[0]}",
        f"operations:{hall.town.region}",
    ]
    foreign += [f"customer:{hall.town.customer_ids[0]}", f"user:{hall.town.customer_ids[0]}", "administration"]
    unknown = [f"{kind}:{uuid4()}" for kind in ("kitchen", "order", "rider", "customer", "user")] + [
        "operations:nowhere"
    ]
    answers = [await stranger.refused("subscribe", {"topic": topic}) for topic in foreign + unknown]
    assert {answer.code for answer in answers} == {"forbidden"}
    assert len({str(answer) for answer in answers}) == 1
    assert (await stranger.subscribe(f"customer:{hall.town.customer_ids[1]}"))["ok"]


async def test_a_tracking_token_sees_its_order_alone(hall: Hall, listen: Callable[..., Any]):
    mine, other = await place(hall.conn, hall.town), await place(hall.conn, hall.town)
    visitor = await listen(hall.urls[0], tracking=await track(hall.conn, mine.order_id))
    answer = await visitor.subscribe(f"order:{mine.order_id}")
    assert {row["entity"] for row in answer["rows"]} == {"order", "line", "delivery", "payment"}
    for topic in (
        f"order:{other.order_id}",
        hall.topic,
        f"customer:{hall.town.customer_ids[0]}",
        f"operations:{hall.town.region}",
    ):
        assert (await visitor.refused("subscribe", {"topic": topic})).code == "forbidden"
    with pytest.raises(ConnectRefused):
        await listen(hall.urls[0], tracking="no such token")


async def test_after_unsubscribe_nothing_follows(hall: Hall, listen: Callable[..., Any]):
    manager = await listen(hall.urls[0], hall.town.manager_id)
    await manager.subscribe(hall.topic)
    await manager.subscribe(f"menu:{hall.town.kitchen_id}")
    assert await manager.socket.ask("unsubscribe", {"topic": hall.topic}) == {"ok": True}
    await hall.rename("after")
    await manager.until(lambda: manager.changes(f"menu:{hall.town.kitchen_id}"))
    assert manager.changes(hall.topic) == []


async def test_a_second_subscribe_takes_the_place_of_the_first(hall: Hall, listen: Callable[..., Any]):
    manager = await listen(hall.urls[0], hall.town.manager_id)
    other = f"menu:{hall.town.kitchen_id}"  # never in the way of the first topic
    topics = [hall.topic, hall.topic, other, hall.topic]
    *older, menu, newest = await asyncio.gather(*map(manager.subscribe, topics), return_exceptions=True)
    assert menu["ok"] and newest["ok"]
    assert [answer.code for answer in older if isinstance(answer, AskRefused)] == ["superseded"] * 2
    here = await manager.subscribe(hall.topic)
    for number in range(3):
        await hall.rename(f"name {number}")
    told = await manager.until(lambda: (found := manager.changes(hall.topic))[2:] and found)
    assert [change["offset"] - here["offset"] for change in told] == [1, 2, 3]


async def test_a_large_state_comes_in_pages_and_nothing_is_missed_meanwhile(hall: Hall, listen: Callable[..., Any]):
    town = hall.town
    await hall.conn.execute(ITEMS, town.kitchen_id, town.brand_id, town.station_id, 1_500, "Many ")
    await sequenced(hall.conn)
    manager = await listen(hall.urls[0], town.manager_id)
    pages = [await manager.subscribe(hall.topic)]
    await hall.rename("while paging")
    watcher = await listen(hall.urls[0], town.manager_id)
    await watcher.subscribe(f"menu:{town.kitchen_id}")
    while pages[-1].get("more"):
        pages.append(await manager.subscribe(hall.topic, page=len(pages)))
    assert len(pages) > 1
    rows = [row["id"] for page in pages for row in page["rows"] if row["entity"] == "item"]
    assert len(rows) == len(set(rows)) == 1_506
    (change,) = await manager.until(lambda: manager.changes(hall.topic))
    assert change["offset"] == pages[0]["offset"] + 1
    assert (await manager.refused("subscribe", {"topic": hall.topic, "page": 1})).code == "bad_request"


async def test_a_grant_that_is_taken_away_closes_its_topics_at_its_place_on_every_worker(
    hall: Hall, listen: Callable[..., Any]
):
    town = hall.town
    boss = await person(hall.conn, "Boss", ("administrator", "*"))
    listeners = [await listen(url, town.manager_id) for url in hall.urls]
    bosses = [await listen(url, boss) for url in hall.urls]
    for one in (*listeners, *bosses):
        await one.subscribe(hall.topic)
    for one in listeners:
        await one.subscribe(f"user:{town.manager_id}")
    async with hall.conn.transaction():
        await hall.rename("before")
        await hall.conn.execute("delete from role_grant where id = $1", town.manager_grant_id)
        await hall.rename("after")
        await hall.conn.execute("update person set locale = 'de' where id = $1", town.manager_id)
    for one in bosses:
        await one.until(lambda one=one: len(one.changes(hall.topic)) == 2)
    for one in listeners:
        await one.until(
            lambda one=one: any(told["entity"] == "user" for told in one.changes(f"user:{town.manager_id}"))
        )
        assert [told["row"]["name"] for told in one.changes(hall.topic)] == ["before"]
        names = [name for name, told in one.events if told.get("topic") == hall.topic]
        assert names == ["change", "revoked"]
        assert (await one.refused("subscribe", {"topic": hall.topic})).code == "forbidden"


async def test_a_disabled_person_is_cut_on_every_worker(hall: Hall, listen: Callable[..., Any]):
    listeners = [await listen(url, hall.town.manager_id) for url in hall.urls]
    await hall.conn.execute("update person set is_active = false where id = $1", hall.town.manager_id)
    for one in listeners:
        await one.until(lambda one=one: one.socket.is_lost)
        assert ("closing", {"code": "auth.disabled", "reconnect": False}) in one.events


async def test_a_new_history_is_a_resync_and_a_new_epoch(own_hall: Hall):
    hall = own_hall
    auth = {"token": token_of(hall.town.manager_id)}
    async with Live(hall.urls[0], lambda: auth) as live:
        fold = await live.subscribe(hall.topic)
        before = fold.epoch
        await hall.conn.execute("update sequencer_term set system = 'another cluster'")
        await hall.conn.execute("select pg_terminate_backend(holder) from sequencer_term order by term desc limit 1")
        await live.until(lambda: fold.epoch != before, timeout_seconds=PATIENCE_SECONDS)
        await hall.rename("in the new epoch")
        row = hall.town.item_ids[0]
        await live.until(
            lambda: (fold.row("item", row) or {}).get("name") == "in the new epoch", timeout_seconds=PATIENCE_SECONDS
        )
        assert live.resyncs >= 1 and fold.tally.snapshots == 2 and fold.tally.is_clean


async def test_a_deleted_row_never_reappears(database_url: str, redis_url: str, listen: Callable[..., Any]):
    """The subscriber comes when the deletion is committed and neither it nor the change before it is sequenced."""
    conn = await asyncpg.connect(database_url)
    town = await found(conn)
    topic, item_id = f"kitchen:{town.kitchen_id}", town.item_ids[0]
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
    async with serving(database_url, redis_url) as url:
        await conn.execute(RENAME, item_id, "changed, not sequenced")
        await conn.execute("delete from item where id = $1", item_id)
        manager = await listen(url, town.manager_id)
        answer = await manager.subscribe(topic)
        assert item_id not in {row["id"] for row in answer["rows"]}
        assert answer["gone"] == [{"entity": "item", "id": item_id, "version": 3}]
        fold = TopicFold(topic)
        rows, gone = (msgspec.convert(answer[part], list[Present]) for part in ("rows", "gone"))
        fold.snapshot(answer["epoch"], answer["offset"], rows, gone)
        async with sequencing(database_url, redis_url):
            await manager.until(lambda: len(manager.changes(topic)) == 2)
        for told in manager.changes(topic):
            fold.change(msgspec.convert(told, Change))
            assert fold.row("item", item_id) is None
        assert [told["op"] for told in manager.changes(topic)] == ["put", "delete"]
        assert fold.tally.is_clean and fold.offset == (await pipeline.TOPIC_SPAN.only(conn, topic=topic))["head"]
    await conn.close()
