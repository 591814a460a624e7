"""What belongs to people alone: contacts and addresses (sealed), who may not order, and the last administrator."""

from __future__ import annotations

from importlib import import_module

from migrations.script import execute

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

pipeline = import_module("migrations.versions.0003_change_pipeline")

PEOPLE = """
alter table person
    add column time_zone text not null default 'UTC',
    add column notifications text[] not null default '{}',
    add column erased_at timestamptz,
    add column merged_into uuid constraint person_merged_into references person,
    add constraint person_name_length check (length(name) between 1 and 100),
    add constraint person_locale check (locale ~ '^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$'),
    add constraint person_notifications check (notifications <@ array['order', 'delivery', 'offer', 'security']),
    add constraint person_erased check (erased_at is null or not is_active);

-- Sealed by the house (AES-256-GCM); `phone_index` finds a number without telling it.
create table contact (
    person_id uuid constraint contact_pk primary key constraint contact_person references person,
    phone bytea not null,
    phone_index bytea not null,
    changed_at timestamptz not null default clock_timestamp(),
    constraint contact_phone_once unique (phone_index)
);

create table address (
    id uuid constraint address_pk primary key default hotpass_uuid7(),
    person_id uuid not null constraint address_person references person,
    label text not null constraint address_label check (length(label) between 1 and 40),
    line bytea not null,
    notes bytea not null,
    lat double precision not null constraint address_lat check (lat between -90 and 90),
    lon double precision not null constraint address_lon check (lon between -180 and 180),
    is_default boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    version bigint not null default 1,
    constraint address_somewhere check (lat <> 0 or lon <> 0)
) with (fillfactor = 70);
create index address_person on address (person_id);
create unique index address_one_default on address (person_id) where is_default;

create function address_admit() returns trigger language plpgsql as $$ begin
    perform from person where id = new.person_id for no key update;
    if (select count(*) from address where person_id = new.person_id) >= 20 then
        raise exception 'a person has at most 20 addresses' using errcode = 'HP030';
    end if;
    return new;
end $$;
create trigger address_admit before insert on address for each row execute function address_admit();
"""

BLOCKS = """
-- `subject` is a person's id, the blind index of a phone in hexadecimal, or a cell: a square of about a kilometre.
create table block (
    id uuid constraint block_pk primary key default hotpass_uuid7(),
    kind text not null constraint block_kind check (kind in ('person', 'phone', 'cell')),
    subject text not null,
    effect text not null constraint block_effect check (effect in ('refuse', 'prepaid', 'review')),
    reason text not null constraint block_reason check (length(btrim(reason)) between 3 and 300),
    author_id uuid not null constraint block_author references person,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    lifted_at timestamptz,
    version bigint not null,
    constraint block_ends check (expires_at > created_at and expires_at <= created_at + interval '366 days')
) with (fillfactor = 70);
create index block_subject on block (kind, subject) where lifted_at is null;

-- Part of every placement, whoever writes it. A cell is `lat lon` in hundredths of a degree, rounded down.
create function orders_not_blocked() returns trigger language plpgsql as $$
declare found text;
begin
    select b.effect into found from block b
        where b.lifted_at is null and b.expires_at > clock_timestamp()
            and ((b.kind = 'person' and b.subject = new.customer_id::text)
                or (b.kind = 'phone' and b.subject = (select encode(phone_index, 'hex') from contact where person_id = new.customer_id))
                or (b.kind = 'cell' and b.subject = floor(new.drop_lat * 100)::bigint || ' ' || floor(new.drop_lon * 100)::bigint))
        order by array_position(array['refuse', 'prepaid', 'review'], b.effect) limit 1;
    if found = 'refuse' then
        raise exception 'customer % is blocked', new.customer_id using errcode = 'HP031';
    elsif found = 'prepaid' and new.payment_method = 'cash' then
        raise exception 'customer % pays before', new.customer_id using errcode = 'HP032';
    end if;
    return new;
end $$;
create trigger orders_not_blocked before insert on orders for each row execute function orders_not_blocked();
"""

ADMINISTRATORS = """
-- One administrator of everything always remains, whoever writes: the lock makes two removals one after the other.
create function last_administrator() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock(7704);
    if not exists (select from role_grant g join person p on p.id = g.person_id
            where g.role = 'administrator' and g.scope = '*' and g.expires_at is null and p.is_active) then
        raise exception 'the last administrator cannot be removed' using errcode = 'HP033';
    end if;
    return null;
end $$;
-- A person who was no administrator may always be disabled.
create function last_administrator_active() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock(7704);
    if exists (select from role_grant where person_id = new.id and role = 'administrator' and scope = '*' and expires_at is null)
        and not exists (select from role_grant g join person p on p.id = g.person_id
            where g.role = 'administrator' and g.scope = '*' and g.expires_at is null and p.is_active) then
        raise exception 'the last administrator cannot be disabled' using errcode = 'HP033';
    end if;
    return null;
end $$;
create constraint trigger role_grant_last_administrator after update or delete on role_grant deferrable initially immediate
    for each row when (old.role = 'administrator' and old.scope = '*' and old.expires_at is null) execute function last_administrator();
create constraint trigger person_last_administrator after update of is_active on person deferrable initially immediate
    for each row when (old.is_active and not new.is_active) execute function last_administrator_active();
"""


def upgrade() -> None:
    """Apply the step."""
    execute(PEOPLE)
    execute(BLOCKS)
    pipeline.sync(
        "block", "block", None, "", "case when r.lifted_at is null then array['administration'] else '{}'::text[] end"
    )
    execute(ADMINISTRATORS)
