"""Many who come at once share a reading, and each of them still folds to the truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import msgspec
import pytest

from db import pipeline
from db.connection import Database
from hub.client.fold import Change, Present, TopicFold
from hub.client.socket import Socket
from hub.domain.topics import Topic, TopicKind
from hub.realtime import changes
from hub.realtime.endings import end_all
from hub.realtime.present import ITEMS_PER_TURN, read_present
from hub.realtime.readings import Readings
from tests.town import PATIENCE_SECONDS, Town, access_token, found, opened, sequenced, sequencing

NEWCOMERS, PEOPLE = 200, 20
RENAME = "update item set name = $2 where id = $1"
RENAMES = 60
MANY_CHANGES = 1_500
MANY = "do $$ begin for turn in 1..250 loop update item set name = 'turn ' || turn; end loop; end $$"  # of six dishes
NEW = pipeline.TOPIC_SPAN.sql  # once a reading


class Newcomer:
    """A socket that folds one topic; what comes before the answer waits for it."""

    def __init__(self, topic: str) -> None:
        self.fold = TopicFold(topic)
        self._early: list[Change] | None = []
        self._socket = Socket(on_event=self._take, on_lost=lambda _: None)

    async def come(self, url: str, person_id: str) -> None:
        await self._socket.open(url, {"token": access_token(person_id)})

    async def subscribe(self, **place: int) -> None:
        answer = await self._socket.ask("subscribe", {"topic": self.fold.topic, **place})
        if answer["recovered"]:
            self.fold.replay(answer["epoch"], answer["offset"], msgspec.convert(answer["changes"], list[Change]))
        else:
            rows, gone = (msgspec.convert(answer[part], list[Present]) for part in ("rows", "gone"))
            self.fold.snapshot(answer["epoch"], answer["offset"], rows, gone)
        early, self._early = self._early or [], None
        for change in early:
            self.fold.change(change)

    def abort(self) -> None:
        self._socket.abort()

    def _take(self, name: str, payload: msgspec.Raw) -> None:
        if name == "change":
            change = msgspec.json.decode(payload, type=Change)
            if self._early is None:
                self.fold.change(change)
            else:
                self._early.append(change)


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


@pytest.fixture
async def hub(database_url: str, redis_url: str) -> AsyncIterator[tuple[str, list[str]]]:
    """The URL of a hub, and every statement that its pool runs."""
    said: list[str] = []
    async with sequencing(database_url, redis_url), opened(database_url, redis_url) as (url, app):
        database, everybody = app.ctx.house.database, asyncio.Barrier(8)

        async def listen() -> None:
            async with database.connection() as one:
                await everybody.wait()
                one.add_query_logger(lambda record: said.append(record.query))

        await asyncio.gather(*(listen() for _ in range(8)))
        yield url, said


@pytest.fixture
async def newcomers(hub: tuple[str, list[str]], conn: Any) -> AsyncIterator[tuple[Town, list[Newcomer]]]:
    """Connected, not yet subscribed."""
    town = await found(conn, customers=PEOPLE)
    await sequenced(conn)
    async with AsyncExitStack() as leaving:
        everybody = [Newcomer(f"menu:{town.kitchen_id}") for _ in range(NEWCOMERS)]
        for number, one in enumerate(everybody):
            await one.come(hub[0], town.customer_ids[number % PEOPLE])
            leaving.callback(one.abort)
        yield town, everybody


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not fact():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("back", [False, True], ids=["all are new", "all come back"])
async def test_two_hundred_who_come_at_once_cost_few_readings_and_all_fold_to_the_truth(
    hub: tuple[str, list[str]], newcomers: tuple[Town, list[Newcomer]], conn: Any, *, back: bool
):
    url, said = hub
    town, everybody = newcomers
    first = Newcomer(everybody[0].fold.topic)
    await first.come(url, town.customer_ids[0])
    await first.subscribe()
    place = {"epoch": first.fold.epoch, "offset": first.fold.offset} if back else {}
    first.abort()  # with it the hub forgets the topic: nobody is served from memory

    async def write() -> None:
        for number in range(RENAMES):
            await conn.execute(RENAME, town.item_ids[number % len(town.item_ids)], f"name {number}")

    said.clear()
    for one in everybody if back else ():
        one.fold.snapshot(place["epoch"], place["offset"], first_rows(first), ())
    await asyncio.gather(write(), *(one.subscribe(**place) for one in everybody))
    assert said.count(NEW) < NEWCOMERS / 10
    await sequenced(conn)
    truth = Newcomer(first.fold.topic)
    await truth.come(url, town.customer_ids[0])
    await truth.subscribe()
    truth.abort()
    await until(lambda: all(one.fold.offset >= truth.fold.offset for one in everybody))
    for one in everybody:
        assert one.fold.tally.is_clean, one.fold.tally
        assert one.fold.held == truth.fold.held


def first_rows(newcomer: Newcomer) -> list[Present]:
    held = newcomer.fold.held.items()
    return [Present(entity=key[0], id=key[1], version=version, row=row) for key, (version, row) in held]


@pytest.fixture
async def topic(conn: Any, database_url: str, redis_url: str) -> Topic:
    async with sequencing(database_url, redis_url):
        await until_led(conn)
        town = await found(conn)
        await sequenced(conn)
    return Topic(kind=TopicKind.MENU, key=town.kitchen_id)


@pytest.fixture
async def one_connection(database_url: str) -> AsyncIterator[Database]:
    """While a test holds it, nothing that has begun can end."""
    database = Database(database_url, size=1, application="tests")
    await database.start()
    yield database
    await database.stop()


async def until_led(conn: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await pipeline.PLACE.row(conn) is None or await pipeline.TERM.row(conn) is None:
            await asyncio.sleep(0.01)


async def test_a_reading_that_has_begun_is_not_shared_with_whoever_asks_later(one_connection: Database, topic: Topic):
    readings = Readings(one_connection)
    async with one_connection.connection():
        begun = asyncio.create_task(readings.read(topic, epoch=None, offset=None))
        for _ in range(5):
            await asyncio.sleep(0)
        later = [asyncio.create_task(readings.read(topic, epoch=None, offset=None)) for _ in range(NEWCOMERS)]
        await asyncio.sleep(0)
    first, *others = await asyncio.gather(begun, *later)
    assert first is not others[0]
    assert all(other is others[0] for other in others)


async def test_whoever_gives_up_does_not_take_the_reading_from_the_others(one_connection: Database, topic: Topic):
    readings = Readings(one_connection)
    async with one_connection.connection():
        impatient, patient = (asyncio.create_task(readings.read(topic, epoch=None, offset=None)) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
    assert (await patient).present.pages != [b"[]"]


async def test_a_reading_that_nobody_waits_for_any_more_is_not_made(one_connection: Database, topic: Topic):
    readings, said = Readings(one_connection), []
    async with one_connection.connection() as held:
        held.add_query_logger(lambda record: said.append(record.query))
        for _ in range(3):
            asking = asyncio.create_task(readings.read(topic, epoch=None, offset=None))
            for _ in range(5):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    assert (await readings.read(topic, epoch=None, offset=None)).present.pages != [b"[]"]
    assert said.count(NEW) == 1


async def test_the_loop_turns_while_a_long_absence_is_made_good(
    one_connection: Database, conn: Any, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    """What is made of the rows is counted by the turn of the loop in which it was made."""
    town = await found(conn)
    topic = Topic(kind=TopicKind.MENU, key=town.kitchen_id)
    async with sequencing(database_url, redis_url):
        await sequenced(conn)
        before = (await read_present(one_connection, topic, epoch=None, offset=None)).present
        await conn.execute(MANY)
        await sequenced(conn)
    turn, made, make = 0, Counter[int](), changes.Change.body

    def count(*arguments: Any) -> bytes | None:
        made[turn] += 1
        return make(*arguments)

    async def neighbour() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    monkeypatch.setattr(changes.Change, "body", count)
    living = asyncio.create_task(neighbour())
    reading = await read_present(one_connection, topic, epoch=before.epoch, offset=before.offset)
    await end_all([living])
    assert len(reading.changes) == sum(made.values()) == MANY_CHANGES
    assert max(made.values()) <= ITEMS_PER_TURN
    offsets = [
        change.offset for page in reading.present.pages for change in msgspec.json.decode(page, type=list[Change])
    ]
    assert offsets == list(range(before.offset + 1, before.offset + MANY_CHANGES + 1))
