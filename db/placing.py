"""Placing an order: what the server must know to price it, and the one statement that brings it into being.

The statement takes every price and station from the menu as it is at that moment; a dish that is gone, or a menu whose
total is no longer what the customer was told, makes it return nothing. The kitchen's row is locked by `orders_admit`.
"""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

# primary key; item_pk. Prices of the wanted items and how busy the kitchen is. Null columns of an item: it is unknown.
BASKET = Statement(
    text(
        """select row_to_json(k)::text as kitchen, product_now() as now, hotpass_uuid7()::text as order_id,
            (select coalesce(json_agg(row_to_json(i)), '[]')::text from item i
                where i.kitchen_id = k.id and i.id = any(cast(:item_ids as uuid[]))) as items,
            (select count(*) from orders o where o.kitchen_id = k.id and o.archived_at is null
                and o.status in ('placed', 'accepted', 'preparing')) as queue
        from kitchen k where k.id = cast(:kitchen_id as uuid)"""
    )
)

PLACE = Statement(
    text(
        """
        with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        wanted as (
            select i.*, w.quantity, w.options, w.position
            from unnest(cast(:item_ids as uuid[]), cast(:quantities as integer[]), cast(:options as text[]))
                with ordinality as w(item_id, quantity, options, position)
            join item i on i.id = w.item_id and i.kitchen_id = cast(:kitchen_id as uuid) and i.is_available
        ),
        basket as (
            select count(*) as lines, sum(quantity) as pieces, sum(price_minor * quantity) as subtotal
            from wanted
        ),
        placed as (
            insert into orders (id, code, region, kitchen_id, kitchen_name, brand_id, brand_name, customer_id,
                customer_name, status, note, items_count, subtotal_minor, delivery_fee_minor, total_minor, currency,
                payment_method, drop_lat, drop_lon, delivery_pin, accept_by, promised_at, ready_expected_at)
            select cast(:order_id as uuid), cast(:code as text), k.region, k.id, k.name, first.brand_id,
                first.brand_name, p.id, p.name, 'placed', cast(:note as text), basket.pieces, basket.subtotal,
                cast(:delivery_fee_minor as bigint),
                basket.subtotal + cast(:delivery_fee_minor as bigint), k.currency, cast(:payment_method as text),
                cast(:drop_lat as float8), cast(:drop_lon as float8), cast(:delivery_pin as text),
                product_now() + k.accept_seconds * interval '1 second',
                product_now() + cast(:promise_seconds as float8) * interval '1 second',
                product_now() + cast(:ready_seconds as float8) * interval '1 second'
            from kitchen k, person p, basket, acting,
                (select brand_id, brand_name from wanted order by position limit 1) first
            where k.id = cast(:kitchen_id as uuid) and p.id = cast(:customer_id as uuid) and p.is_active
                and basket.lines = cardinality(cast(:item_ids as uuid[]))
                and basket.subtotal = cast(:subtotal_minor as bigint)
                and acting.setting is not null
            returning *
        ),
        cooking as (
            insert into order_line (order_id, kitchen_id, station_id, item_id, name, quantity, options, allergens,
                price_minor, state, position, prep_seconds, fire_at)
            select o.id, o.kitchen_id, w.station_id, w.id, w.name, w.quantity, w.options, w.allergens, w.price_minor,
                'held', w.position, w.prep_seconds,
                -- lines start so that all finish together
                greatest(o.placed_at, o.ready_expected_at - w.prep_seconds * interval '1 second')
            from placed o, wanted w
            returning *
        ),
        carrying as (
            insert into delivery (order_id, order_code, region, kitchen_id, customer_id, status, pickup_name,
                pickup_lat, pickup_lon, drop_lat, drop_lon, distance_metres, cash_due_minor, fee_minor, currency)
            select o.id, o.code, o.region, o.kitchen_id, o.customer_id, 'waiting', k.name, k.lat, k.lon,
                o.drop_lat, o.drop_lon, cast(:distance_metres as integer),
                case o.payment_method when 'cash' then o.total_minor else 0 end, o.delivery_fee_minor, o.currency
            from placed o join kitchen k on k.id = o.kitchen_id
            returning id
        ),
        paying as (
            insert into payment (order_id, method, state, amount_minor, currency)
            select id, payment_method, 'due', total_minor, currency from placed returning id
        ),
        followed as (insert into tracking (token_hash, order_id) select cast(:token_hash as bytea), id from placed),
        answer as (
            select json_build_object('order', row_to_json(placed),
                'lines', (select json_agg(row_to_json(cooking) order by position) from cooking))::text as body
            from placed
        ),
        remembered as (
            insert into idempotency (principal_id, key, request_hash, status, answer)
            select cast(:principal_id as uuid), cast(:key as text), cast(:request_hash as bytea), 201, body from answer
        )
        select body from answer
        """
    )
)
