"""Two worlds that must not see each other: a kitchen, a customer, a rider and two orders in north and south.

Private texts of each world carry its canary. Everything else is unknown: ids that nobody has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

from hub.domain.roles import Place
from tests.auth.conftest import bearer, keyed

UNKNOWN = "01a212fe-7b50-781e-9835-ff4eac515205"
PLACES = {"north": (19.10, 72.80), "south": (12.90, 77.60)}
KITCHEN = """
insert into kitchen (region, code, name, lat, lon, time_zone, currency, capacity_orders, accept_seconds, auto_accept)
values ($1, 'K' || left(gen_random_uuid()::text, 8), $1 || ' kitchen', $2, $3, 'UTC', 'INR', 100000, 3600, false)
returning id
"""
BRAND = "insert into brand (kitchen_id, name) values ($1, 'Brand') returning id"
STATION = "insert into station (kitchen_id, code, name) values ($1, 'HOT', 'Hot') returning id"
ITEM = """
insert into item (kitchen_id, brand_id, brand_name, station_id, name, price_minor, currency, prep_seconds)
values ($1, $2, 'Brand', $3, 'Roll', 10000, 'INR', 300) returning id
"""
RIDER = """
insert into rider (id, region, name, home_lat, home_lon, capacity_orders) values ($1, $2, 'Rider', $3, $4, 5)
"""
ASSIGN = """
with given as (
    update delivery set status = 'assigned', rider_id = $2, rider_name = 'Rider', assigned_at = product_now()
    where order_id = $1 returning id
), carried as (update orders set rider_id = $2 where id = $1)
insert into assignment (delivery_id, rider_id) select id, $2 from given returning delivery_id
"""
OFFER = """
insert into offer (delivery_id, order_id, order_code, region, kitchen_id, rider_id, state, fee_minor, currency,
    pickup_name, pickup_lat, pickup_lon, drop_lat, drop_lon, distance_metres, approach_metres, ready_expected_at,
    expires_at)
select id, order_id, order_code, region, kitchen_id, $2, 'live', fee_minor, currency, pickup_name, pickup_lat,
    pickup_lon, drop_lat, drop_lon, distance_metres, 100, product_now(), product_now() + interval '1 day'
from delivery where order_id = $1 returning id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ids of one world."""

    region: str
    canary: str
    kitchen_id: str
    item_id: str
    customer_id: str
    rider_id: str
    order_id: str
    line_id: str
    delivery_id: str
    offer_id: str

    def ids(self) -> dict[str, str]:
        """The world's lasting objects, by the name of a path parameter."""
        names = ("kitchen_id", "item_id", "rider_id", "order_id", "line_id", "delivery_id", "offer_id")
        return {name: getattr(self, name) for name in names}

    def place_of(self, parameter: str) -> Place:
        """Where the object that a path parameter names belongs; people, keys and blocks belong nowhere."""
        eaters, own = (self.customer_id, self.rider_id), (self.customer_id,)
        kitchen, region = self.kitchen_id, self.region
        places = {
            "kitchen_id": Place(kitchen_id=kitchen, region=region),
            "order_id": Place(kitchen_id=kitchen, region=region, owner_ids=eaters),
            "line_id": Place(kitchen_id=kitchen, region=region, owner_ids=eaters),
            "delivery_id": Place(kitchen_id=kitchen, region=region, owner_ids=eaters),
            "offer_id": Place(kitchen_id=kitchen, region=region, owner_ids=(self.rider_id,)),
            "rider_id": Place(region=region, owner_ids=(self.rider_id,)),
            "device_id": Place(kitchen_id=kitchen, region=region),
            "review_id": Place(kitchen_id=kitchen, region=region),
            "grant_id": Place(region=region),
            "session_id": Place(owner_ids=own),
            "address_id": Place(owner_ids=own),
        }
        return places[parameter]


async def make_world(conn: Any, api: aiohttp.ClientSession, region: str, *, customer_id: str, rider_id: str) -> World:
    """Build one; its customer is named by the canary, and says it in a note."""
    lat, lon = PLACES[region]
    canary = f"canary-{region}-{uuid4().hex[:8]}"
    await conn.execute("update person set name = $2 where id = $1", customer_id, canary)
    kitchen_id = await conn.fetchval(KITCHEN, region, lat, lon)
    brand_id, station_id = await conn.fetchval(BRAND, kitchen_id), await conn.fetchval(STATION, kitchen_id)
    item_id = await conn.fetchval(ITEM, kitchen_id, brand_id, station_id)
    await conn.execute(RIDER, rider_id, region, lat, lon)
    carried, offered = [
        await place_order(api, customer_id, str(kitchen_id), str(item_id), lat, lon, canary) for _ in range(2)
    ]
    delivery_id = await conn.fetchval(ASSIGN, carried["order"]["id"], rider_id)
    offer_id = await conn.fetchval(OFFER, offered["order"]["id"], rider_id)
    return World(
        region=region,
        canary=canary,
        kitchen_id=str(kitchen_id),
        item_id=str(item_id),
        customer_id=customer_id,
        rider_id=rider_id,
        order_id=carried["order"]["id"],
        line_id=carried["lines"][0]["id"],
        delivery_id=str(delivery_id),
        offer_id=str(offer_id),
    )


async def place_order(
    api: aiohttp.ClientSession, customer_id: str, kitchen_id: str, item_id: str, lat: float, lon: float, note: str
) -> dict[str, Any]:
    """An order of one dish, placed as a customer places it."""
    body = {"kitchen_id": kitchen_id, "items": [{"item_id": item_id}], "drop": {"lat": lat, "lon": lon}, "note": note}
    async with api.post("/v1/orders", json=body, headers=bearer(customer_id) | keyed()) as answer:
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())
