"""A large answer is held page by page for as long as its client takes, and for one socket within a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from hub.realtime import subscriptions
from tests.realtime.two_hubs import Listener, listen_at, token_of
from tests.town import ITEMS, Town, found, opened, sequenced, sequencing, until

DISHES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One hub, two kitchens with large boards, and their manager's socket."""

    listener: Listener
    subscriptions: subscriptions.Subscriptions
    towns: tuple[Town, Town]
    conn: Any
    gone_id: str

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(f"kitchen:{town.kitchen_id}" for town in self.towns)

    async def rest_of(self, topic: str, first: dict[str, Any]) -> list[dict[str, Any]]:
        """All pages of an answer."""
        pages = [first]
        while pages[-1].get("more"):
            pages.append(await self.listener.subscribe(topic, page=len(pages)))
        return pages


@pytest.fixture
async def house(database_url: str, redis_url: str) -> AsyncIterator[House]:
    """The sequencer has gone, and a dish after it: it left the topic, and has no place in the log."""
    conn = await asyncpg.connect(database_url)
    async with AsyncExitStack() as stack:
        async with sequencing(database_url, redis_url):
            towns = (await found(conn), await found(conn))
            for town in towns:
                await conn.execute(ITEMS, town.kitchen_id, town.brand_id, town.station_id, DISHES, "Many ")
            await sequenced(conn)
        gone_id = towns[0].item_ids[-1]
        await conn.execute("delete from item where id = $1", gone_id)
        url, app = await stack.enter_async_context(opened(database_url, redis_url))
        listener = await listen_at(stack, url, token_of(towns[0].manager_id))
        subscriptions = app.ctx.live.subscriptions
        yield House(listener=listener, subscriptions=subscriptions, towns=towns, conn=conn, gone_id=gone_id)
    await conn.close()


async def test_what_is_gone_is_named_once(house: House) -> None:
    topic = house.topics[0]
    first, *others = await house.rest_of(topic, await house.listener.subscribe(topic))
    assert [one["id"] for one in first["gone"]] == [house.gone_id]
    assert [page["gone"] for page in others] == [[]] * len(others) != []


async def test_a_large_answer_is_let_go_after_its_last_page_and_with_its_socket(house: House) -> None:
    topic, other = house.topics
    first = await house.listener.subscribe(topic)
    held = house.subscriptions.paged_bytes
    assert held > sum(len(str(row)) for row in first["rows"]) / 2
    pages = await house.rest_of(topic, first)
    assert {row["id"] for page in pages for row in page["rows"] if row["entity"] == "item"} >= {
        *house.towns[0].item_ids[:-1]
    }
    assert house.subscriptions.paged_bytes == 0
    await house.listener.subscribe(topic)
    await house.listener.subscribe(other)
    assert house.subscriptions.paged_bytes > held
    house.listener.socket.close()

    async def is_free() -> bool:
        return house.subscriptions.paged_bytes == 0

    await until(is_free)


async def test_beyond_the_bound_of_a_socket_the_second_of_two_large_answers_waits_and_neither_starves(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_PAGED_BYTES", 1)
    topic, other = house.topics
    first = await house.listener.subscribe(topic)
    held = house.subscriptions.paged_bytes
    refused = await house.listener.refused("subscribe", {"topic": other})
    assert (refused.code, refused.fields["retry_after"]) == ("rate_limited", 1)
    assert house.subscriptions.paged_bytes == held
    assert len(await house.rest_of(topic, first)) > 1
    assert len(await house.rest_of(other, await house.listener.subscribe(other))) > 1
