"""A small town in one database, and a hub and a sequencer over it in the test's own loop.

Rows are written past the API, through the same triggers as everybody's; nothing here knows how the pipeline works
except `sequenced`, which waits until nothing that is committed is left outside the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pydantic import SecretStr
from sanic import Sanic

from db import pipeline
from hub.app import make_hub
from hub.observability.health import Workers
from hub.realtime.sequencer import Sequencer
from hub.settings import Settings
from tests.signing import sign_in, token_for

REGION = "town"
SECRET = "a secret of the tests, long enough for a key"
DATA_SECRET = "a data secret of the tests, long enough"
PATIENCE_SECONDS = 30.0  # a busy machine; nothing waits this long when all is well

KITCHEN = """
insert into kitchen (region, code, name, lat, lon, time_zone, currency, capacity_orders, accept_seconds, auto_accept)
values ($1, $2, 'Kitchen ' || $2, 12.97, 77.59, 'Asia/Kolkata', 'INR', 1000000, 3600, false) returning id::text
"""
ITEMS = """
insert into item (kitchen_id, brand_id, brand_name, station_id, name, price_minor, currency, prep_seconds)
select $1, $2, 'Brand', $3, $5 || number, 1000, 'INR', 60 from generate_series(1, $4) as number returning id::text
"""
PERSON = "insert into person (name) values ($1) returning id::text"
GRANT = "insert into role_grant (person_id, role, scope) values ($1, $2, $3) returning id::text"
RIDER = """
insert into rider (id, region, name, capacity_orders, home_lat, home_lon) values ($1, $2, 'Rider', 100, 12.9, 77.5)
"""
ORDER = """
insert into orders (code, region, kitchen_id, kitchen_name, brand_id, brand_name, customer_id, customer_name, status,
    items_count, subtotal_minor, delivery_fee_minor, total_minor, currency, payment_method, drop_lat, drop_lon,
    delivery_pin, accept_by, promised_at, ready_expected_at)
select $4, k.region, k.id, k.name, $2, 'Brand', $3, 'Customer', 'placed',
    2, 2000, 0, 2000, 'INR', 'cash', 12.9, 77.6, '0000',
    product_now() + interval '1 hour', product_now() + interval '1 hour', product_now() + interval '10 minutes'
from kitchen k where k.id = $1 returning id::text
"""
LINE = """
insert into order_line (order_id, kitchen_id, station_id, item_id, name, quantity, price_minor, state, position,
    prep_seconds, fire_at)
values ($1, $2, $3, $4, 'Dish', 1, 1000, 'held', $5, 60, product_now()) returning id::text
"""
DELIVERY = """
insert into delivery (order_id, order_code, region, kitchen_id, customer_id, status, pickup_name, pickup_lat,
    pickup_lon, drop_lat, drop_lon, distance_metres, cash_due_minor, fee_minor, currency)
select id, code, region, kitchen_id, customer_id, 'waiting', kitchen_name, 12.97, 77.59, drop_lat, drop_lon, 900,
    total_minor, 0, currency
from orders where id = $1 returning id::text
"""
PAYMENT = """
insert into payment (order_id, method, state, amount_minor, currency) values ($1, 'cash', 'due', 2000, 'INR')
returning id::text
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Ids of what `found` made."""

    region: str
    kitchen_id: str
    brand_id: str
    station_id: str
    item_ids: tuple[str, ...]
    customer_ids: tuple[str, ...]
    rider_ids: tuple[str, ...]
    manager_id: str
    manager_grant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Ids of what `place` made."""

    order_id: str
    line_ids: tuple[str, str]
    delivery_id: str
    payment_id: str


async def person(conn: Any, name: str, *grants: tuple[str, str]) -> str:
    """A person with (role, scope) grants, signed in; the id."""
    person_id: str = await conn.fetchval(PERSON, name)
    for role, scope in grants:
        await conn.fetchval(GRANT, person_id, role, scope)
    await sign_in(conn, person_id)
    return person_id


async def found(conn: Any, *, region: str = REGION, items: int = 6, customers: int = 2, riders: int = 2) -> Town:
    """A kitchen that cooks, people who order, ride and manage."""
    kitchen_id = await conn.fetchval(KITCHEN, region, f"K{uuid4().hex[:8]}")
    brand_id = await conn.fetchval(
        "insert into brand (kitchen_id, name) values ($1, 'B') returning id::text", kitchen_id
    )
    station_id = await conn.fetchval(
        "insert into station (kitchen_id, code, name) values ($1, 's', 'Stove') returning id::text", kitchen_id
    )
    made = await conn.fetch(ITEMS, kitchen_id, brand_id, station_id, items, "Dish ")
    manager_id = await person(conn, "Manager")
    grant_id = await conn.fetchval(GRANT, manager_id, "manager", f"region:{region}")
    rider_ids = [await person(conn, "Rider", ("rider", "own")) for _ in range(riders)]
    for rider_id in rider_ids:
        await conn.execute(RIDER, rider_id, region)
        await conn.execute("update rider set shift = 'on' where id = $1", rider_id)
    return Town(
        region=region, kitchen_id=kitchen_id, brand_id=brand_id, station_id=station_id,
        item_ids=tuple(row["id"] for row in made),
        customer_ids=tuple([await person(conn, "Customer", ("customer", "own")) for _ in range(customers)]),
        rider_ids=tuple(rider_ids), manager_id=manager_id, manager_grant_id=grant_id,
    )  # fmt: skip


async def place(conn: Any, town: Town, *, customer: int = 0) -> Placed:
    """An order of two lines with its delivery and payment, in one transaction (or in the caller's)."""
    async with conn.transaction():
        customer_id = town.customer_ids[customer]
        order_id = await conn.fetchval(ORDER, town.kitchen_id, town.brand_id, customer_id, uuid4().hex[:10])
        lines = [
            await conn.fetchval(LINE, order_id, town.kitchen_id, town.station_id, town.item_ids[0], at) for at in (1, 2)
        ]
        return Placed(
            order_id=order_id,
            line_ids=(lines[0], lines[1]),
            delivery_id=await conn.fetchval(DELIVERY, order_id),
            payment_id=await conn.fetchval(PAYMENT, order_id),
        )


async def track(conn: Any, order_id: str) -> str:
    """A tracking token of an order."""
    token = uuid4().hex
    digest = hashlib.sha256(token.encode()).digest()
    await conn.execute("insert into tracking (token_hash, order_id) values ($1, $2)", digest, order_id)
    return token


async def sequenced(conn: Any) -> None:
    """Wait until everything that is committed has its place in the log."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            place = await pipeline.PLACE.only(conn)
            lag = await pipeline.LAG.only(conn, snapshot=place["snapshot"])
            if place["target"] is None and lag["waiting"] == 0:
                return


async def until(fact: Any) -> Any:
    """The first truthy value of `await fact()`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (value := await fact()):
            await asyncio.sleep(0)
        return value


@asynccontextmanager
async def sequencing(database_url: str, redis_url: str) -> AsyncIterator[asyncio.Task[None]]:
    """A sequencer in this loop; cancelling its task is a fine way to end it."""
    sequencer = Sequencer(database_url=database_url, redis_url=redis_url, stream_length=1000)
    task = asyncio.create_task(sequencer.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def serving(database_url: str, redis_url: str) -> AsyncIterator[str]:
    """The URL of a hub of one worker in this loop. A sequencer must have led once, or lead soon."""
    async with opened(database_url, redis_url) as (url, _):
        yield url


@asynccontextmanager
async def opened(database_url: str, redis_url: str) -> AsyncIterator[tuple[str, Sanic[Any, Any]]]:
    """As `serving`, with the application itself: for tests that look at what it does to its database."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = Settings(
        profile="embedded", database_url=SecretStr(database_url), redis_url=SecretStr(redis_url),
        secret_key=SecretStr(SECRET), data_key=SecretStr(DATA_SECRET), hub_url=url,
    )  # fmt: skip
    app = make_hub(settings, Workers(1), lambda: None)
    app.config.TOUCHUP = False
    server = await app.create_server(sock=sock, return_asyncio_server=True)
    assert server is not None
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    Sanic.unregister_app(app)  # a second one may be made
    try:
        yield url, app
    finally:
        await server.before_stop()
        await server.close()
        await server.after_stop()


def access_token(person_id: str) -> str:
    """A token of somebody whom `person` made; grants are read from the database."""
    return token_for(person_id, secret=SECRET)
