"""Objects that a cell of the matrix uses up: made in its world right before it is asked, one statement each."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from db.encryption import make_data_keys
from hub.users.private import seal_address
from tests.auth.conftest import DATA_SECRET
from tests.properties.world import World

WORLD = """
with w as (
    select cast($1 as text)::uuid as customer_id, cast($2 as text)::uuid as kitchen_id, cast($3 as text) as region,
        cast($4 as text)::uuid as order_id, clock_timestamp() + interval '1 day' as tomorrow
), x as (insert into person (name) select 'Somebody of the ' || region from w returning id)
"""
# What follows `WORLD`, by the name of a path parameter; `x` is a person whom nobody has met.
MAKERS: dict[str, str] = {
    "person_id": "select id from x",
    "grant_id": """insert into role_grant (person_id, role, scope) select x.id, 'cook', 'region:' || region from x, w
        returning id""",
    "block_id": """insert into block (kind, subject, effect, reason, author_id, expires_at)
        select 'cell', 'nowhere', 'review', 'to be lifted', customer_id, tomorrow from w returning id""",
    "api_key_id": """, s as (insert into session (person_id, kind, expires_at) select x.id, 'minted', tomorrow from x, w
            returning id, person_id)
        insert into api_key (person_id, session_id, name, hash, hint, author_id, expires_at)
        select person_id, id, 'Key', sha256(id::text::bytea), 'hint', customer_id, tomorrow from s, w returning id""",
    "device_id": """insert into device (person_id, kitchen_id, name, author_id)
        select x.id, kitchen_id, 'Tablet', customer_id from x, w returning id""",
    "session_id": """insert into session (person_id, kind, expires_at) select customer_id, 'minted', tomorrow from w
        returning id""",
    "review_id": """, b as (insert into block (kind, subject, effect, reason, author_id, expires_at)
            select 'cell', 'nowhere', 'review', 'to be looked at', customer_id, tomorrow from w returning id),
        o as (
            insert into orders (code, region, kitchen_id, kitchen_name, brand_id, brand_name, customer_id,
                customer_name, status, note, items_count, subtotal_minor, delivery_fee_minor, total_minor, currency,
                payment_method, drop_lat, drop_lon, delivery_pin, accept_by, promised_at, ready_expected_at)
            select left(x.id::text, 8) || right(x.id::text, 8), o.region, o.kitchen_id, kitchen_name, brand_id,
                brand_name, o.customer_id, 'Somebody', 'placed', '', 1, 0, 0, 0, currency, 'cash', drop_lat, drop_lon,
                '0000', product_now() + interval '1 day', product_now() + interval '1 day',
                product_now() + interval '1 day'
            from orders o, w, x where o.id = w.order_id returning *
        )
        insert into review (order_id, block_id, order_code, region, kitchen_id, kitchen_name, customer_name,
            total_minor, currency, reason, state, expires_at)
        select o.id, b.id, code, region, kitchen_id, kitchen_name, customer_name, total_minor, currency,
            'to be looked at', 'waiting', accept_by from o, b returning id""",
}

ADDRESS = """
with room as (delete from address where person_id = cast($2 as text)::uuid)
insert into address (id, person_id, label, line, notes, lat, lon)
values (cast($1 as text)::uuid, cast($2 as text)::uuid, 'Home', $3, $4, 1, 1)
"""
KINDS = frozenset({*MAKERS, "address_id"})


async def fresh(conn: Any, name: str, world: World) -> str:
    """A new object of the kind that a path parameter names, in the given world; its id."""
    if name == "address_id":
        return await _address(conn, world)
    given = (world.customer_id, world.kitchen_id, world.region, world.order_id)
    async with conn.transaction():
        if name == "review_id":  # other cells pause the kitchen
            await conn.execute("update kitchen set paused_until = null where id = cast($1 as text)::uuid", given[1])
        return str(await conn.fetchval(WORLD + MAKERS[name], *given))


async def _address(conn: Any, world: World) -> str:
    """The only address of the world's customer: a person has at most twenty."""
    address_id = str(uuid4())
    sealed = seal_address(make_data_keys(DATA_SECRET), line="1 Road", notes="", address_id=address_id)
    await conn.execute(ADDRESS, address_id, world.customer_id, sealed["line"], sealed["notes"])
    return address_id
