"""Orders, their lines and payments, deliveries, offers and assignments; the stored answers of idempotent requests."""

from __future__ import annotations

from migrations.script import execute

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ORDERS = """
create table orders (
    id uuid constraint orders_pk primary key default hotpass_uuid7(),
    code text not null,
    region text not null,
    kitchen_id uuid not null constraint orders_kitchen references kitchen,
    kitchen_name text not null,
    brand_id uuid not null constraint orders_brand references brand,
    brand_name text not null,
    customer_id uuid not null constraint orders_customer references person,
    customer_name text not null,
    rider_id uuid constraint orders_rider references rider,
    status text not null,
    reason text,
    note text not null default '',
    is_rush boolean not null default false,
    items_count integer not null constraint orders_items check (items_count > 0),
    subtotal_minor bigint not null constraint orders_subtotal check (subtotal_minor >= 0),
    delivery_fee_minor bigint not null constraint orders_fee check (delivery_fee_minor >= 0),
    total_minor bigint not null constraint orders_total check (total_minor = subtotal_minor + delivery_fee_minor),
    currency text not null,
    payment_method text not null constraint orders_payment_method check (payment_method in ('cash', 'online')),
    drop_lat double precision not null constraint orders_drop_lat check (drop_lat between -90 and 90),
    drop_lon double precision not null constraint orders_drop_lon check (drop_lon between -180 and 180),
    delivery_pin text not null,
    placed_at timestamptz not null default product_now(),
    accept_by timestamptz not null,
    promised_at timestamptz not null,
    ready_expected_at timestamptz not null,
    accepted_at timestamptz,
    started_at timestamptz,
    ready_at timestamptz,
    picked_up_at timestamptz,
    delivered_at timestamptz,
    ended_at timestamptz,
    archived_at timestamptz,
    version bigint not null,
    constraint orders_times check (promised_at >= placed_at and accepted_at >= placed_at and started_at >= accepted_at
        and ready_at >= placed_at and picked_up_at >= ready_at and delivered_at >= picked_up_at),
    constraint orders_accepted check ((status in ('accepted', 'preparing', 'ready', 'out_for_delivery', 'delivered',
        'delivery_failed', 'returned')) <= (accepted_at is not null)),
    constraint orders_ready check ((status in ('ready', 'out_for_delivery', 'delivered', 'delivery_failed', 'returned')) <= (ready_at is not null)),
    constraint orders_delivered check ((status = 'delivered') = (delivered_at is not null)),
    constraint orders_carried check ((status in ('out_for_delivery', 'delivered', 'delivery_failed', 'returned'))
        <= (picked_up_at is not null and rider_id is not null)),
    constraint orders_ended check ((status in ('delivered', 'rejected', 'expired', 'cancelled', 'returned')) = (ended_at is not null)),
    constraint orders_archived check (archived_at is null or ended_at is not null)
) with (fillfactor = 50);
create unique index orders_code on orders (kitchen_id, code) where archived_at is null;
create index orders_kitchen_open on orders (kitchen_id, status) where archived_at is null;
create index orders_region_open on orders (region) where archived_at is null;
create index orders_customer on orders (customer_id, id);
create index orders_rider_open on orders (rider_id) where archived_at is null;
create index orders_accept_by on orders (accept_by) where status = 'placed';
create index orders_to_archive on orders (ended_at) where archived_at is null;

create table order_line (
    id uuid constraint order_line_pk primary key default hotpass_uuid7(),
    order_id uuid not null constraint order_line_order references orders,
    kitchen_id uuid not null,
    station_id uuid not null constraint order_line_station references station,
    item_id uuid not null constraint order_line_item references item,
    name text not null,
    quantity integer not null constraint order_line_quantity check (quantity between 1 and 99),
    options text not null default '',
    allergens text[] not null default '{}',
    price_minor bigint not null constraint order_line_price check (price_minor >= 0),
    state text not null,
    reason text,
    position integer not null,
    prep_seconds integer not null,
    fire_at timestamptz not null,
    fired_at timestamptz,
    started_at timestamptz,
    done_at timestamptz,
    checked_at timestamptz,
    archived_at timestamptz,
    version bigint not null
) with (fillfactor = 50);
create index order_line_order on order_line (order_id);
create index order_line_kitchen_open on order_line (kitchen_id) where archived_at is null;
create index order_line_to_fire on order_line (fire_at) where state in ('held', 'remake') and archived_at is null;

create table payment (
    id uuid constraint payment_pk primary key default hotpass_uuid7(),
    order_id uuid not null constraint payment_order references orders,
    method text not null constraint payment_method check (method in ('cash', 'online')),
    state text not null,
    amount_minor bigint not null constraint payment_amount check (amount_minor >= 0),
    collected_minor bigint constraint payment_collected check (collected_minor >= 0),
    currency text not null,
    reason text,
    version bigint not null,
    constraint payment_once unique (order_id)
) with (fillfactor = 70);
"""

DELIVERIES = """
create table delivery (
    id uuid constraint delivery_pk primary key default hotpass_uuid7(),
    order_id uuid not null constraint delivery_order references orders,
    order_code text not null,
    region text not null,
    kitchen_id uuid not null constraint delivery_kitchen references kitchen,
    customer_id uuid not null,
    rider_id uuid constraint delivery_rider references rider,
    rider_name text,
    visible_rider_name text generated always as
        (case when status in ('picked_up', 'at_door') then split_part(rider_name, ' ', 1) end) stored,
    status text not null,
    reason text,
    pickup_name text not null,
    pickup_lat double precision not null,
    pickup_lon double precision not null,
    drop_lat double precision not null,
    drop_lon double precision not null,
    distance_metres integer not null,
    cash_due_minor bigint not null constraint delivery_cash check (cash_due_minor >= 0),
    fee_minor bigint not null constraint delivery_fee check (fee_minor >= 0),
    currency text not null,
    created_at timestamptz not null default product_now(),
    assigned_at timestamptz,
    at_kitchen_at timestamptz,
    picked_up_at timestamptz,
    at_door_at timestamptz,
    delivered_at timestamptz,
    ended_at timestamptz,
    archived_at timestamptz,
    version bigint not null,
    constraint delivery_once unique (order_id),
    constraint delivery_has_rider check ((status in ('assigned', 'at_kitchen', 'picked_up', 'at_door', 'delivered', 'failed', 'returning', 'returned'))
        <= (rider_id is not null and assigned_at is not null)),
    constraint delivery_unassigned check ((status in ('waiting', 'offered')) <= (rider_id is null)),
    constraint delivery_carried check ((status in ('picked_up', 'at_door', 'delivered', 'failed', 'returning', 'returned')) <= (picked_up_at is not null)),
    constraint delivery_delivered check ((status = 'delivered') = (delivered_at is not null)),
    constraint delivery_times check (at_kitchen_at >= assigned_at and picked_up_at >= at_kitchen_at and delivered_at >= picked_up_at)
) with (fillfactor = 50);
create index delivery_region_open on delivery (region, status) where archived_at is null;
create index delivery_kitchen_open on delivery (kitchen_id) where archived_at is null;
create index delivery_rider_open on delivery (rider_id) where archived_at is null;
create index delivery_customer_open on delivery (customer_id) where archived_at is null;

create table assignment (
    id uuid constraint assignment_pk primary key default hotpass_uuid7(),
    delivery_id uuid not null constraint assignment_delivery references delivery,
    rider_id uuid not null constraint assignment_rider references rider,
    assigned_at timestamptz not null default product_now(),
    ended_at timestamptz,
    reason text
);
create unique index assignment_one_active on assignment (delivery_id) where ended_at is null;
create index assignment_rider on assignment (rider_id) where ended_at is null;

create table offer (
    id uuid constraint offer_pk primary key default hotpass_uuid7(),
    delivery_id uuid not null constraint offer_delivery references delivery,
    order_id uuid not null,
    order_code text not null,
    region text not null,
    kitchen_id uuid not null,
    rider_id uuid not null constraint offer_rider references rider,
    state text not null,
    reason text,
    fee_minor bigint not null,
    currency text not null,
    pickup_name text not null,
    pickup_lat double precision not null,
    pickup_lon double precision not null,
    drop_lat double precision not null,
    drop_lon double precision not null,
    distance_metres integer not null,
    approach_metres integer not null,
    ready_expected_at timestamptz not null,
    created_at timestamptz not null default product_now(),
    expires_at timestamptz not null,
    answered_at timestamptz,
    version bigint not null
) with (fillfactor = 70);
create unique index offer_one_live on offer (delivery_id, rider_id) where state = 'live';
create index offer_rider_live on offer (rider_id) where state = 'live';
create index offer_region_live on offer (region) where state = 'live';
create index offer_delivery on offer (delivery_id);
create index offer_to_expire on offer (expires_at) where state = 'live';
"""

REQUESTS = """
create table idempotency (
    principal_id uuid not null,
    key text not null constraint idempotency_key_length check (length(key) between 1 and 100),
    request_hash bytea not null,
    status integer not null,
    answer text not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint idempotency_pk primary key (principal_id, key)
);
create index idempotency_created on idempotency (created_at);

create table tracking (
    token_hash bytea constraint tracking_pk primary key,
    order_id uuid not null constraint tracking_order references orders
);
create index tracking_order on tracking (order_id);
"""


def upgrade() -> None:
    """Apply the step."""
    for part in (ORDERS, DELIVERIES, REQUESTS):
        execute(part)
