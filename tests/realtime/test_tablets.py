"""A paired tablet on two hub processes: it acts as itself, a PIN changes its person, removal cuts everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from redis.asyncio import Redis

from hub.client.errors import AskRefused, ConnectRefused
from hub.embedded.engines import Engines
from tests.caller import Caller
from tests.realtime.two_hubs import Listener, Pair, listen_as, listen_at, pair_of_hubs, token_of
from tests.town import found, person

Json = dict[str, Any]


@pytest.fixture(scope="module")
async def pair(engines: Engines, module_database_url: str) -> AsyncIterator[Pair]:
    """Two hubs over one database."""
    redis_url = engines.redis_url_of(12)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    async with pair_of_hubs(module_database_url, redis_url) as both:
        yield both


@pytest.fixture
async def sockets() -> AsyncIterator[AsyncExitStack]:
    """Sockets of one test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def http(pair: Pair) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the first hub."""
    async with aiohttp.ClientSession(pair.hubs[0].url) as session:
        yield session


async def paired(http: aiohttp.ClientSession, pair: Pair) -> Json:
    """A tablet of the town's kitchen: what pairing answered."""
    body = {"kitchen_id": pair.town.kitchen_id, "name": "Wall"}
    manager = Caller(session=http, person_id=pair.town.manager_id)
    device = (await manager.done("/devices", body))["device"]
    return await Caller(session=http).done("/devices/pair", {"code": device["code"]})


async def switched(http: aiohttp.ClientSession, pair: Pair, tablet: Json, person_id: str) -> str:
    """The access token of somebody of the kitchen who gave the PIN at the tablet, asked at the first hub."""
    pin = (await Caller(session=http, person_id=person_id).done("/me/pin", {"kitchen_id": pair.town.kitchen_id}))["pin"]
    headers = {"Authorization": f"Bearer {tablet['access_token']}", "Idempotency-Key": uuid4().hex}
    async with http.post("/v1/devices/switch", json={"pin": pin}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["access_token"])


async def cook_of(pair: Pair) -> str:
    return await person(pair.conn, "Cook", ("cook", f"kitchen:{pair.town.kitchen_id}"))


async def at_both(sockets: AsyncExitStack, pair: Pair, tablet: Json) -> tuple[Listener, Listener]:
    """The tablet's sockets at either hub, following its kitchen."""
    first, second = [await listen_as(sockets, hub.url, {"device": tablet["device_token"]}) for hub in pair.hubs]
    for one in (first, second):
        await one.subscribe(pair.topic)
    return first, second


async def test_a_tablet_follows_its_kitchen_and_no_other(
    pair: Pair, http: aiohttp.ClientSession, sockets: AsyncExitStack
) -> None:
    tablet = await paired(http, pair)
    elsewhere = await found(pair.conn)
    for one in await at_both(sockets, pair, tablet):
        for topic in (f"kitchen:{elsewhere.kitchen_id}", f"operations:{pair.town.region}", "administration"):
            with pytest.raises(AskRefused, match="forbidden"):
                await one.subscribe(topic)
        await pair.rename(uuid4().hex)
        await one.until(lambda one=one: one.names(pair.topic))


async def test_a_pin_changes_the_person_of_the_socket_and_back(
    pair: Pair, http: aiohttp.ClientSession, sockets: AsyncExitStack
) -> None:
    tablet, cook_id = await paired(http, pair), await cook_of(pair)
    _, screen = await at_both(sockets, pair, tablet)
    with pytest.raises(AskRefused, match="forbidden"):
        await screen.subscribe(f"user:{cook_id}")
    answer = await screen.socket.ask("authenticate", {"token": await switched(http, pair, tablet, cook_id)})
    assert answer["ok"]
    await screen.subscribe(f"user:{cook_id}")
    await pair.rename("while the cook stands there")
    await screen.until(lambda: "while the cook stands there" in screen.names(pair.topic))
    await screen.socket.ask("authenticate", {"token": tablet["access_token"]})
    assert screen.told("revoked") == [{"topic": f"user:{cook_id}", "reason": "person"}]
    with pytest.raises(AskRefused, match="forbidden"):
        await screen.subscribe(f"user:{cook_id}")


async def test_nobody_takes_a_socket_over_who_did_not_sign_in_at_its_tablet(
    pair: Pair, http: aiohttp.ClientSession, sockets: AsyncExitStack
) -> None:
    tablet, other, cook_id = await paired(http, pair), await paired(http, pair), await cook_of(pair)
    screen, _ = await at_both(sockets, pair, tablet)
    phone = await listen_at(sockets, pair.hubs[1].url, token_of(pair.town.manager_id))
    at_other = await switched(http, pair, other, cook_id)
    for socket, token in ((screen, token_of(cook_id)), (screen, at_other), (phone, at_other)):
        with pytest.raises(AskRefused, match="forbidden"):
            await socket.socket.ask("authenticate", {"token": token})


async def test_a_manager_by_pin_has_no_more_than_the_kitchen(
    pair: Pair, http: aiohttp.ClientSession, sockets: AsyncExitStack
) -> None:
    tablet = await paired(http, pair)
    screen, _ = await at_both(sockets, pair, tablet)
    token = await switched(http, pair, tablet, pair.town.manager_id)
    await screen.socket.ask("authenticate", {"token": token})
    with pytest.raises(AskRefused, match="forbidden"):
        await screen.subscribe(f"operations:{pair.town.region}")
    headers = {"Authorization": f"Bearer {token}"}
    async with http.get("/v1/devices", params={"kitchen_id": pair.town.kitchen_id}, headers=headers) as answer:
        assert answer.status == 403
    # A grant that comes while one stands there reaches no further either.
    await pair.conn.execute(
        "insert into role_grant (person_id, role, scope) values ($1, 'dispatcher', '*')", pair.town.manager_id
    )
    await pair.rename("after the grant")
    await screen.until(lambda: "after the grant" in screen.names(pair.topic))
    with pytest.raises(AskRefused, match="forbidden"):
        await screen.subscribe(f"operations:{pair.town.region}")


async def test_a_removed_tablet_is_cut_on_every_hub_whoever_stands_before_it(
    pair: Pair, http: aiohttp.ClientSession, sockets: AsyncExitStack
) -> None:
    tablet, cook_id = await paired(http, pair), await cook_of(pair)
    screens = await at_both(sockets, pair, tablet)
    token = await switched(http, pair, tablet, cook_id)
    await screens[1].socket.ask("authenticate", {"token": token})
    at_home = await listen_at(sockets, pair.hubs[1].url, token_of(cook_id))
    await at_home.subscribe(pair.topic)
    path = f"/devices/{tablet['device']['id']}"
    removed = await Caller(session=http, person_id=pair.town.manager_id).send("DELETE", path, None, {})
    assert removed.status == 200
    for screen in screens:
        await screen.until(lambda screen=screen: screen.socket.is_lost)
        assert screen.told("closing")[0]["code"] in {"auth.revoked", "auth.disabled"}
    await pair.rename("after the removal")
    await at_home.until(lambda: "after the removal" in at_home.names(pair.topic))
    assert not at_home.socket.is_lost
    assert not any("after the removal" in screen.names(pair.topic) for screen in screens)
    for hub in pair.hubs:
        with pytest.raises(ConnectRefused, match=r"auth\.invalid"):
            await listen_as(sockets, hub.url, {"device": tablet["device_token"]})
    async with http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "auth.revoked")


@pytest.mark.parametrize("token", ["", "hpd_", "hpd_" + "a" * 43, "x" * 5000, "\x00", "' or 1=1 --"])
async def test_what_is_no_tablets_token_opens_no_socket(pair: Pair, sockets: AsyncExitStack, token: str) -> None:
    with pytest.raises(ConnectRefused):
        await listen_as(sockets, pair.hubs[0].url, {"device": token})
