"""The course of an order over the API: each function takes it one step further and gives what it learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

from db.offer_moves import OFFER
from tests.caller import Caller, Json
from tests.town import Town, person

DROP = {"lat": 12.98, "lon": 77.60}
DISPATCHING = '{"actor": "dispatcher"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays: a connection past the API, the town, and its people as callers of the API."""

    conn: Any
    session: aiohttp.ClientSession
    town: Town
    customer: Caller
    other_customer: Caller
    manager: Caller
    cook: Caller
    rider: Caller
    other_rider: Caller
    stranger: Caller

    def basket(self, *quantities: int) -> Json:
        """What an order of so many pieces of the first dishes is asked with."""
        wanted = zip(self.town.item_ids, quantities or (1,), strict=False)
        items = [{"item_id": item_id, "quantity": quantity} for item_id, quantity in wanted]
        return {"kitchen_id": self.town.kitchen_id, "items": items, "drop": DROP}

    def as_person(self, person_id: str | None) -> Caller:
        """Anybody as a caller; None is nobody."""
        return Caller(session=self.session, person_id=person_id)


async def cast_of(conn: Any, session: aiohttp.ClientSession, town: Town) -> Cast:
    """The people of a town at the hub's door; the cook is added, the stranger has no role at all."""
    cook_id = await person(conn, "Cook", ("cook", f"kitchen:{town.kitchen_id}"))
    stranger_id = await person(conn, "Stranger")
    ids = {
        "customer": town.customer_ids[0], "other_customer": town.customer_ids[1], "manager": town.manager_id,
        "cook": cook_id, "rider": town.rider_ids[0], "other_rider": town.rider_ids[1], "stranger": stranger_id,
    }  # fmt: skip
    people = {name: Caller(session=session, person_id=person_id) for name, person_id in ids.items()}
    return Cast(conn=conn, session=session, town=town, **people)


async def placed(cast: Cast, *quantities: int) -> Json:
    """`{order, lines, tracking}` of a fresh order."""
    return await cast.customer.done("/orders", cast.basket(*quantities))


async def accepted(cast: Cast, *quantities: int) -> Json:
    """A placed order that its kitchen has taken, its lines at their stations."""
    made = await placed(cast, *quantities)
    answer = await cast.manager.done(f"/orders/{made['order']['id']}/accept")
    await cast.conn.execute("update order_line set state = 'fired' where order_id = $1", made["order"]["id"])
    return made | {"order": answer["order"]}


async def ready(cast: Cast) -> Json:
    """An order of one line, cooked and checked."""
    made = await accepted(cast)
    for move in ("start", "done", "check"):
        await cast.manager.done(f"/lines/{made['lines'][0]['id']}/{move}")
    return made


async def delivery_of(cast: Cast, order_id: str) -> str:
    """The id of an order's delivery."""
    return str(await cast.conn.fetchval("select id::text from delivery where order_id = $1", order_id))


async def offered(cast: Cast, delivery_id: str, rider_id: str, *, seconds: float = 60.0) -> str:
    """The id of an offer of a delivery to a rider, as the dispatcher makes it."""
    offer_id = await OFFER.value(
        cast.conn, delivery_id=delivery_id, rider_id=rider_id, approach_metres=100, seconds=seconds,
        context=DISPATCHING,
    )  # fmt: skip
    assert offer_id is not None
    return str(offer_id)


async def at_door(cast: Cast) -> tuple[Json, str]:
    """An order whose rider stands at the door, and its delivery's id."""
    made = await ready(cast)
    delivery_id = await delivery_of(cast, made["order"]["id"])
    await cast.manager.done(f"/deliveries/{delivery_id}/assign", {"rider_id": cast.rider.person_id})
    await cast.rider.done(f"/deliveries/{delivery_id}/arrive")
    await cast.rider.done(f"/deliveries/{delivery_id}/pick-up", {"code": made["order"]["code"]})
    await cast.rider.done(f"/deliveries/{delivery_id}/at-door")
    return made, delivery_id


async def status_of(cast: Cast, order_id: str) -> str:
    """Where an order stands, by the database."""
    return str(await cast.conn.fetchval("select status from orders where id = $1", order_id))
