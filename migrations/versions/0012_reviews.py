"""Two more things a block can do: keep a rider and a customer apart, and let an order wait for a manager's review."""

from __future__ import annotations

from importlib import import_module

from migrations.script import execute

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

journal = import_module("migrations.versions.0009_one_journal")

# The subject of a pair is `<rider> <customer>`.
BLOCKS = """
alter table block
    drop constraint block_kind,
    add constraint block_kind check (kind in ('person', 'phone', 'cell', 'pair')),
    drop constraint block_effect,
    add constraint block_effect check (effect in ('refuse', 'prepaid', 'review', 'apart') and (kind = 'pair') = (effect = 'apart'));

create function is_kept_apart(rider uuid, customer uuid) returns boolean language sql stable parallel safe as $$
    select exists (select from block where kind = 'pair' and subject = rider || ' ' || customer
        and lifted_at is null and expires_at > clock_timestamp())
$$;
create index block_pair_customer on block (split_part(subject, ' ', 2)) where kind = 'pair' and lifted_at is null;
"""

# `reason` is the block's. Times are the product clock's, like those of the order.
REVIEWS = """
create table review (
    id uuid constraint review_pk primary key default hotpass_uuid7(),
    order_id uuid not null constraint review_order references orders deferrable initially deferred
        constraint review_order_once unique,
    block_id uuid not null constraint review_block references block,
    order_code text not null,
    region text not null,
    kitchen_id uuid not null constraint review_kitchen references kitchen,
    kitchen_name text not null,
    customer_name text not null,
    total_minor bigint not null,
    currency text not null,
    reason text not null,
    state text not null,
    created_at timestamptz not null default product_now(),
    expires_at timestamptz not null,
    decided_at timestamptz,
    decided_by uuid constraint review_decided_by references person,
    decision text,
    version bigint not null,
    constraint review_decided check ((state = 'waiting') = (decided_at is null)),
    constraint review_explained check (state not in ('approved', 'refused') or (decision is not null and decided_by is not null))
) with (fillfactor = 70);
create index review_region_waiting on review (region) where state = 'waiting';

insert into legal_move values
    ('review', '', 'waiting', 'place', 'review.created'),
    ('review', 'waiting', 'approved', 'approve', 'review.approved'),
    ('review', 'waiting', 'refused', 'refuse', 'review.refused'),
    ('review', 'waiting', 'lapsed', 'lapse', 'review.lapsed');
"""

# Part of every placement, whoever writes it: all blocks that fit, the gravest effect first.
PLACING = """
create or replace function orders_not_blocked() returns trigger language plpgsql as $$
declare found block; is_held boolean := false;
begin
    for found in select b.* from block b
        where b.lifted_at is null and b.expires_at > clock_timestamp()
            and ((b.kind = 'person' and b.subject = new.customer_id::text)
                or (b.kind = 'phone' and b.subject = (select encode(phone_index, 'hex') from contact where person_id = new.customer_id))
                or (b.kind = 'cell' and b.subject = floor(new.drop_lat * 100)::bigint || ' ' || floor(new.drop_lon * 100)::bigint))
        order by array_position(array['refuse', 'prepaid', 'review'], b.effect), b.expires_at desc
    loop
        if found.effect = 'refuse' then
            raise exception 'customer % is blocked', new.customer_id using errcode = 'HP031';
        elsif found.effect = 'prepaid' and new.payment_method = 'cash' then
            raise exception 'customer % pays before', new.customer_id using errcode = 'HP032';
        elsif found.effect = 'review' and not is_held then
            is_held := true;
            insert into review (order_id, block_id, order_code, region, kitchen_id, kitchen_name, customer_name, total_minor,
                currency, reason, state, expires_at)
            values (new.id, found.id, new.code, new.region, new.kitchen_id, new.kitchen_name, new.customer_name,
                new.total_minor, new.currency, found.reason, 'waiting', new.accept_by);
        end if;
    end loop;
    return new;
end $$;
"""

# The order's row is locked by whoever decides or accepts, so the two never pass each other.
HOLDING = """
create function orders_await_review() returns trigger language plpgsql as $$ begin
    if exists (select from review where order_id = new.id and state = 'waiting') then
        raise exception 'order % waits for a review', new.id using errcode = 'HP034';
    end if;
    return new;
end $$;
create trigger orders_await_review before update of status on orders for each row
    when (old.status = 'placed' and new.status = 'accepted') execute function orders_await_review();

create function orders_end_review() returns trigger language plpgsql as $$ begin
    update review set state = 'lapsed' where order_id = new.id and state = 'waiting';
    return null;
end $$;
create trigger orders_end_review after update of status on orders for each row
    when (old.status = 'placed' and new.status not in ('placed', 'accepted')) execute function orders_end_review();
"""


def upgrade() -> None:
    """Apply the step."""
    execute(BLOCKS)
    execute(REVIEWS)
    waiting = "array['operations:' || r.region, 'kitchen:' || r.kitchen_id]"
    topics = f"case r.state when 'waiting' then {waiting} else '{{}}'::text[] end"
    journal.sync("review", "review", "state", "new.decided_at := moment;", topics)
    execute(PLACING)
    execute(HOLDING)
