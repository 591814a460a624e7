"""Kitchens and what they cook, people and what they may do, and the product's clock."""

from __future__ import annotations

from migrations.script import execute

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CLOCK = """
create table product_clock (
    only_row integer constraint product_clock_pk primary key default 1 constraint product_clock_one_row check (only_row = 1),
    real_origin timestamptz not null,
    product_origin timestamptz not null,
    rate double precision not null constraint product_clock_rate check (rate > 0 and rate <= 3600)
);
insert into product_clock (real_origin, product_origin, rate) select at, at, 1 from clock_timestamp() as at;

-- Business time: promises, deadlines, fire times, shifts. Runs at rate 1 except in demo and replay.
create function product_now() returns timestamptz language sql stable parallel safe as $$
    select product_origin + (clock_timestamp() - real_origin) * rate from product_clock
$$;
"""

UUID7 = """
do $$ begin
    if exists (select from pg_proc where proname = 'uuidv7') then
        create function hotpass_uuid7() returns uuid language sql volatile parallel safe as 'select uuidv7()';
    else
        -- RFC 9562 version 7: 48 bits of milliseconds laid over a random version 4
        create function hotpass_uuid7() returns uuid language sql volatile parallel safe as $f$
            select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing
                substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
        $f$;
    end if;
end $$;
"""

PLACES = """
create table kitchen (
    id uuid constraint kitchen_pk primary key default hotpass_uuid7(),
    region text not null constraint kitchen_region check (region ~ '^[a-z][a-z0-9-]{0,31}$'),
    code text not null,
    name text not null,
    lat double precision not null constraint kitchen_lat check (lat between -90 and 90),
    lon double precision not null constraint kitchen_lon check (lon between -180 and 180),
    time_zone text not null,
    currency text not null constraint kitchen_currency check (currency ~ '^[A-Z]{3}$'),
    is_open boolean not null default true,
    paused_until timestamptz,
    capacity_orders integer not null constraint kitchen_capacity check (capacity_orders > 0),
    accept_seconds integer not null constraint kitchen_accept_seconds check (accept_seconds > 0),
    auto_accept boolean not null,
    version bigint not null,
    constraint kitchen_code unique (region, code)
) with (fillfactor = 70);

create table brand (
    id uuid constraint brand_pk primary key default hotpass_uuid7(),
    kitchen_id uuid not null constraint brand_kitchen references kitchen,
    name text not null,
    version bigint not null,
    constraint brand_name unique (kitchen_id, name)
);

create table station (
    id uuid constraint station_pk primary key default hotpass_uuid7(),
    kitchen_id uuid not null constraint station_kitchen references kitchen,
    code text not null,
    name text not null,
    position integer not null default 0,
    version bigint not null,
    constraint station_code unique (kitchen_id, code)
);

create table item (
    id uuid constraint item_pk primary key default hotpass_uuid7(),
    kitchen_id uuid not null constraint item_kitchen references kitchen,
    brand_id uuid not null constraint item_brand references brand,
    brand_name text not null,
    station_id uuid not null constraint item_station references station,
    name text not null,
    price_minor bigint not null constraint item_price check (price_minor >= 0),
    currency text not null,
    prep_seconds integer not null constraint item_prep check (prep_seconds between 1 and 86400),
    allergens text[] not null default '{}',
    is_available boolean not null default true,
    portions_left integer constraint item_portions check (portions_left >= 0),
    version bigint not null
) with (fillfactor = 70);
create index item_kitchen on item (kitchen_id);
"""

PEOPLE = """
create table person (
    id uuid constraint person_pk primary key default hotpass_uuid7(),
    name text not null,
    locale text not null default 'en',
    is_active boolean not null default true,
    created_at timestamptz not null default clock_timestamp(),
    version bigint not null
);

create table role_grant (
    id uuid constraint role_grant_pk primary key default hotpass_uuid7(),
    person_id uuid not null constraint role_grant_person references person,
    role text not null constraint role_grant_role check (role in (
        'customer', 'cook', 'expediter', 'rider', 'manager', 'dispatcher', 'administrator', 'integrator')),
    scope text not null constraint role_grant_scope check (scope ~ '^(\\*|own|(kitchen|region):.+)$'),
    expires_at timestamptz,
    version bigint not null,
    constraint role_grant_once unique (person_id, role, scope)
);

create table rider (
    id uuid constraint rider_pk primary key constraint rider_person references person,
    region text not null,
    name text not null,
    vehicle text not null default 'bicycle',
    shift text not null default 'off' constraint rider_shift_known check (shift in ('off', 'on', 'break')),
    capacity_orders integer not null default 1 constraint rider_capacity check (capacity_orders > 0),
    home_lat double precision not null,
    home_lon double precision not null,
    shift_started_at timestamptz,
    shift_ends_at timestamptz,
    version bigint not null,
    constraint rider_shift_times check ((shift = 'off') = (shift_started_at is null))
) with (fillfactor = 70);
create index rider_region on rider (region);

create table rider_shift (
    id bigint generated always as identity constraint rider_shift_pk primary key,
    rider_id uuid not null constraint rider_shift_rider references rider,
    started_at timestamptz not null,
    ended_at timestamptz,
    constraint rider_shift_order check (ended_at >= started_at)
);
create unique index rider_shift_one_open on rider_shift (rider_id) where ended_at is null;
"""


def upgrade() -> None:
    """Apply the step."""
    for part in (CLOCK, UUID7, PLACES, PEOPLE):
        execute(part)
