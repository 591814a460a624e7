"""An old snapshot and the changes after it make a fresh snapshot, for every command of the HTTP API, in every role.

    commands over HTTP, several at a time ──► Postgres ──► sequencer ──► hub ──► one client of each role
                                                                     └──────► newcomers in the middle, cut sockets

First each command is made once and has to succeed, then many by chance beside each other. At every pause each client
stands at the head of its topics and must hold what a newcomer is given. A command without a way to be made fails here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import asyncpg
import pytest

from db import pipeline
from hub.app import NOUNS
from hub.client.fold import TopicFold
from hub.client.live import Live
from hub.domain.roles import Role
from hub.domain.topics import TopicKind, parse_topic
from tests.course import Cast
from tests.faults.proxy import proxy
from tests.properties import commands_of_people, commands_of_trade
from tests.properties.stage import COMMANDS, Refused, Stage
from tests.town import PATIENCE_SECONDS, SECRET, access_token, person, sequenced

assert commands_of_people and commands_of_trade  # they fill COMMANDS
WALKERS = 4
STEPS = 25
ROUNDS = 2
MOVING = {
    (route.method, route.path.removeprefix("/v1")) for noun in NOUNS for route in noun.routes if route.method != "GET"
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What one role follows: how it joins, and its topics."""

    auth: dict[str, str]
    topics: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class House:
    """Everybody who watches; `watching` grows by newcomers."""

    hub_url: str
    seats: dict[str, Seat]
    clients: AsyncExitStack
    watching: list[tuple[Seat, Live]] = field(default_factory=list)

    async def join(self, name: str, *, url: str | None = None) -> Live:
        """A further client of a role, with all its topics."""
        seat = self.seats[name]
        live = await self.clients.enter_async_context(Live(url or self.hub_url, lambda: seat.auth))
        async with asyncio.timeout(PATIENCE_SECONDS):
            for topic in seat.topics:
                await live.subscribe(topic)
        self.watching.append((seat, live))
        return live


async def seats_of(stage: Stage, admin_id: str) -> dict[str, Seat]:
    """One seat for each role, and one for the visitor of a tracking page; together they follow every kind of topic."""
    cast, town = stage.cast, stage.cast.town
    basket = await COMMANDS["POST", "/orders"](stage)
    order = await stage.ask("POST", "/orders", replace(basket, who=cast.customer))
    kitchen, menu, operations = f"kitchen:{town.kitchen_id}", f"menu:{town.kitchen_id}", f"operations:{town.region}"
    order_topic, customer, rider = f"order:{order['order']['id']}", town.customer_ids[0], town.rider_ids[0]

    async def staff(role: Role, scope: str) -> str:
        return await person(cast.conn, role.capitalize(), (role, scope))

    topics: dict[str, tuple[str, tuple[str, ...]]] = {
        Role.CUSTOMER: (customer, (f"customer:{customer}", f"user:{customer}", menu, order_topic)),
        Role.COOK: (await staff(Role.COOK, kitchen), (kitchen, menu)),
        Role.EXPEDITER: (await staff(Role.EXPEDITER, kitchen), (kitchen, order_topic)),
        Role.RIDER: (rider, (f"rider:{rider}", f"user:{rider}")),
        Role.MANAGER: (town.manager_id, (operations, kitchen, *(f"rider:{one}" for one in town.rider_ids))),
        Role.DISPATCHER: (await staff(Role.DISPATCHER, f"region:{town.region}"), (operations,)),
        Role.ADMINISTRATOR: (admin_id, ("administration", operations, f"user:{admin_id}")),
        Role.INTEGRATOR: (await staff(Role.INTEGRATOR, kitchen), (kitchen, menu)),
    }
    seats = {
        str(role): Seat(auth={"token": access_token(person_id)}, topics=followed)
        for role, (person_id, followed) in topics.items()
    }
    assert {parse_topic(topic).kind for seat in seats.values() for topic in seat.topics} == set(TopicKind)  # type: ignore[union-attr]
    return seats | {"visitor": Seat(auth={"tracking": order["tracking"]["token"]}, topics=(order_topic,))}


@pytest.fixture
async def stage(cast: Cast) -> Stage:
    admin = await person(cast.conn, "Administrator", ("administrator", "*"))
    return Stage(cast=cast, admin=cast.as_person(admin), chance=random.Random(7), secret=SECRET)


@asynccontextmanager
async def watched(stage: Stage, hub_url: str) -> AsyncIterator[House]:
    """A client of every role, until the end of the block."""
    assert stage.admin.person_id is not None
    async with AsyncExitStack() as clients:
        house = House(hub_url=hub_url, seats=await seats_of(stage, stage.admin.person_id), clients=clients)
        for name in house.seats:
            await house.join(name)
        yield house


async def wander(stage: Stage, database_url: str) -> None:
    """Commands by chance; one that lost a race is refused, and has not happened."""
    conn = await asyncpg.connect(database_url)
    own = replace(stage, cast=replace(stage.cast, conn=conn))
    for _ in range(STEPS):
        with suppress(Refused):
            await own.make(*own.chance.choice(sorted(COMMANDS)))
    await conn.close()


async def trouble(stage: Stage, house: House) -> None:
    """Newcomers join in the middle, and sockets are cut, which then miss something."""
    for name in stage.chance.sample(sorted(house.seats), 3):
        await house.join(name)
        _, live = stage.chance.choice(house.watching)
        if live._socket is not None:
            live._socket.abort()


async def wrong_at_pause(stage: Stage, house: House) -> list[str]:
    """Where a client does not hold what a newcomer of its role is given, or has counted a broken promise."""
    conn = stage.cast.conn
    await sequenced(conn)
    wrong = []
    for seat, live in house.watching:
        async with Live(house.hub_url, lambda seat=seat: seat.auth) as newcomer:
            for fold in live.folds:
                head = (await pipeline.TOPIC_SPAN.only(conn, topic=fold.topic))["head"]
                await live.until(lambda fold=fold, head=head: fold.offset >= head, timeout_seconds=PATIENCE_SECONDS)
                wrong += differences(fold, await newcomer.subscribe(fold.topic))
    return wrong


def differences(fold: TopicFold, fresh: TopicFold) -> list[str]:
    """Sentences about two folds of one topic that should be alike."""
    told = [] if fold.tally.is_clean and not fold.has_gap else [f"{fold.topic}: {fold.tally}"]
    if (fold.epoch, fold.offset) != (fresh.epoch, fresh.offset):
        told.append(f"{fold.topic}: at {fold.offset}, a newcomer at {fresh.offset}")
    held, there = present(fold), present(fresh)
    return told + [
        f"{fold.topic} {key}: {held.get(key)} is not {there.get(key)}"
        for key in held.keys() | there.keys()
        if held.get(key) != there.get(key)
    ]


def present(fold: TopicFold) -> dict[Any, Any]:
    return {key: row for key, (_, row) in fold.held.items() if row is not None}


def test_every_moving_route_has_a_way_to_be_made() -> None:
    assert set(COMMANDS) == MOVING


async def test_every_command_leaves_every_role_with_what_a_newcomer_sees(
    stage: Stage, town_url: str, module_database_url: str
) -> None:
    async with watched(stage, town_url) as house:
        for name in stage.chance.sample(sorted(COMMANDS), len(COMMANDS)):
            await stage.make(*name)
            assert stage.made[name] > 0
        assert await wrong_at_pause(stage, house) == []
        assert set(stage.made) == MOVING
        for _ in range(ROUNDS):
            await asyncio.gather(*(wander(stage, module_database_url) for _ in range(WALKERS)), trouble(stage, house))
            assert (await wrong_at_pause(stage, house))[:5] == []
        assert sum(fold.tally.replays for _, live in house.watching for fold in live.folds) > 0
        quiet = {str(role) for role in Role if not await heard(house, role)}
        assert quiet == set()


async def heard(house: House, role: Role) -> int:
    """How many changes the clients of a role were told."""
    seat = house.seats[role]
    return sum(live.tally().applied for other, live in house.watching if other is seat)


@pytest.mark.parametrize("fault", ["nothing", "drop", "swap", "duplicate", "stale"])
async def test_a_fault_between_hub_and_client_is_noticed_at_the_pause(stage: Stage, town_url: str, fault: str) -> None:
    async with watched(stage, town_url) as house, proxy(town_url, fault) as url:
        await house.join(Role.DISPATCHER, url=url)
        for name in islice((name for name in sorted(COMMANDS) if "/orders/" in name[1]), 6):
            await stage.make(*name)
        wrong = await wrong_at_pause(stage, house)
    assert (wrong == []) == (fault == "nothing")
