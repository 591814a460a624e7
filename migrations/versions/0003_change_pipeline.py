"""From a row to an ordered change: versions, legal moves, audit and outbox by trigger; the sequencer's append-only tables.

before row   version + 1, the move is legal, the time of the new state is stamped
after row    one outbox row (topics now, topics left behind), one audit row
sequencer    outbox -> change_log (pos) and topic_log (dense offset per topic); its place is the newest sequencer_place
"""

from __future__ import annotations

from migrations.script import execute

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The table of legal moves as it stands at this step. `hub.domain` is the home; a test holds the two against each other.
LEGAL = """
order||placed|place|order.placed
order|placed|accepted|accept|order.accepted
order|placed|rejected|reject|order.rejected
order|placed|expired|expire|order.expired
order|accepted|preparing|start|order.started
order|preparing|ready|ready|order.ready
order|ready|preparing|recall|order.recalled
order|ready|out_for_delivery|pick-up|order.picked_up
order|out_for_delivery|delivered|deliver|order.delivered
order|out_for_delivery|delivery_failed|fail|order.delivery_failed
order|delivery_failed|returned|return|order.returned
order|placed|cancelled|cancel|order.cancelled
order|accepted|cancelled|cancel|order.cancelled
order|preparing|cancelled|cancel|order.cancelled
order|ready|cancelled|cancel|order.cancelled
line||held|place|line.created
line|held|fired|fire|line.fired
line|remake|fired|fire|line.fired
line|fired|cooking|start|line.started
line|cooking|done|done|line.done
line|done|checked|check|line.checked
line|cooking|fired|undo|line.undone
line|done|cooking|undo|line.undone
line|checked|done|undo|line.undone
line|done|remake|remake|line.remade
line|checked|remake|remake|line.remade
line|held|voided|void|line.voided
line|fired|voided|void|line.voided
line|cooking|voided|void|line.voided
line|done|voided|void|line.voided
line|remake|voided|void|line.voided
delivery||waiting|place|delivery.created
delivery|waiting|offered|offer|delivery.offered
delivery|offered|waiting|lapse|delivery.waiting
delivery|waiting|assigned|assign|delivery.assigned
delivery|offered|assigned|assign|delivery.assigned
delivery|assigned|waiting|unassign|delivery.unassigned
delivery|at_kitchen|waiting|unassign|delivery.unassigned
delivery|assigned|at_kitchen|arrive|delivery.at_kitchen
delivery|at_kitchen|picked_up|pick-up|delivery.picked_up
delivery|picked_up|at_door|at-door|delivery.at_door
delivery|at_door|delivered|deliver|delivery.delivered
delivery|picked_up|failed|fail|delivery.failed
delivery|at_door|failed|fail|delivery.failed
delivery|failed|returning|return|delivery.returning
delivery|returning|returned|return|delivery.returned
delivery|waiting|cancelled|cancel|delivery.cancelled
delivery|offered|cancelled|cancel|delivery.cancelled
delivery|assigned|cancelled|cancel|delivery.cancelled
delivery|at_kitchen|cancelled|cancel|delivery.cancelled
offer||live|offer|offer.created
offer|live|accepted|accept|offer.accepted
offer|live|declined|decline|offer.declined
offer|live|expired|expire|offer.expired
offer|live|withdrawn|withdraw|offer.withdrawn
rider||off|create|rider.created
rider|off|on|start|rider.on_shift
rider|break|on|start|rider.on_shift
rider|on|break|break|rider.on_break
rider|on|off|end|rider.off_shift
rider|break|off|end|rider.off_shift
payment||due|place|payment.created
payment|due|collected|collect|payment.collected
payment|due|captured|capture|payment.captured
payment|due|void|void|payment.voided
payment|collected|deposited|deposit|payment.deposited
payment|deposited|reconciled|reconcile|payment.reconciled
payment|deposited|short|short|payment.short
payment|captured|refund_due|refund|payment.refund_due
payment|collected|refund_due|refund|payment.refund_due
payment|refund_due|refunded|refunded|payment.refunded
"""

MOVES_TABLE = """
create table legal_move (
    entity text not null,
    source text not null,
    target text not null,
    move text not null,
    event text not null,
    constraint legal_move_pk primary key (entity, source, target)
);
"""

LOGS = """
create table audit_event (
    id bigint generated always as identity constraint audit_event_pk primary key,
    at timestamptz not null default clock_timestamp(),
    entity text not null,
    entity_id text not null,
    version bigint not null,
    event text not null,
    actor text not null,
    reason text,
    request_id text,
    row text
);
create index audit_event_entity on audit_event (entity_id, version);

-- The only way in is by xid: a row is found through what a snapshot could not see.
create table outbox (
    id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    entity text not null,
    entity_id text not null,
    version bigint not null,
    topics text[] not null,
    gone text[] not null,
    event text not null,
    row text,
    at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
create index outbox_xid on outbox (xid);

create table change_log (
    pos bigint not null,
    day date not null,
    entity text not null,
    entity_id text not null,
    version bigint not null,
    event text not null,
    row text,
    at timestamptz not null,
    topics text[] not null,
    offsets bigint[] not null,
    ops text[] not null,
    constraint change_log_pk primary key (pos, day)
) partition by range (day);

create table topic_log (
    topic text not null,
    topic_offset bigint not null,
    pos bigint not null,
    op text not null,
    day date not null,
    constraint topic_log_pk primary key (topic, topic_offset, day)
) partition by range (day);

-- What dropped days leave behind: the last offset given before them. Written by retention only.
create table topic_head (
    topic text constraint topic_head_pk primary key,
    head bigint not null
);

create table sequencer_term (
    term bigint generated always as identity constraint sequencer_term_pk primary key,
    epoch bigint not null,
    system text not null,
    holder integer not null,
    started_at timestamptz not null default clock_timestamp()
);

create table sequencer_place (
    number bigint constraint sequencer_place_pk primary key,
    term bigint not null,
    pos bigint not null,
    snapshot text not null,
    target text,
    after_id bigint not null,
    at timestamptz not null default clock_timestamp()
);
insert into sequencer_place (number, term, pos, snapshot, after_id) values (0, 0, 0, pg_current_snapshot()::text, 0);

create table sequencer_heartbeat (
    only_row integer constraint sequencer_heartbeat_pk primary key default 1 constraint sequencer_heartbeat_one_row check (only_row = 1),
    term bigint not null,
    at timestamptz not null
) with (fillfactor = 10);
insert into sequencer_heartbeat (term, at) values (0, clock_timestamp());

create function ensure_change_days(ahead integer) returns void language plpgsql as $$
declare at_day date;
begin
    perform pg_advisory_xact_lock(7702);
    for step in -1..ahead loop
        at_day := (clock_timestamp() at time zone 'utc')::date + step;
        execute format('create table if not exists change_log_%s partition of change_log for values from (%L) to (%L)',
            to_char(at_day, 'YYYYMMDD'), at_day, at_day + 1);
        execute format('create table if not exists topic_log_%s partition of topic_log for values from (%L) to (%L)',
            to_char(at_day, 'YYYYMMDD'), at_day, at_day + 1);
    end loop;
end $$;
select ensure_change_days(2);
"""

REFUSALS = """
create function refuse_truncate() returns trigger language plpgsql as $$ begin
    raise exception 'TRUNCATE % is refused: it would bypass the change pipeline', tg_table_name using errcode = 'HP003';
end $$;
create function refuse_change() returns trigger language plpgsql as $$ begin
    raise exception '% of % is refused: it is append-only', tg_op, tg_table_name using errcode = 'HP004';
end $$;
create trigger audit_event_append_only before update or delete or truncate on audit_event for each statement execute function refuse_change();
"""

STATE_CHECK = """
    if tg_op = 'INSERT' then
        if not exists (select from legal_move where entity = '{entity}' and source = '' and target = new.{state}) then
            raise exception 'a new {entity} cannot be %', new.{state} using errcode = 'HP001';
        end if;
    elsif new.{state} is distinct from old.{state} then
        if not exists (select from legal_move where entity = '{entity}' and source = old.{state} and target = new.{state}) then
            raise exception '{entity} % cannot go from % to %', old.id, old.{state}, new.{state} using errcode = 'HP001';
        end if;
        {stamps}
    end if;
"""

BEFORE = """
create function {table}_before() returns trigger language plpgsql as $$
declare moment timestamptz := product_now();
begin
    if tg_op = 'INSERT' then
        new.version := 1;
    else
        if new.id <> old.id then raise exception 'the id of a {entity} never changes' using errcode = 'HP005'; end if;
        new.version := old.version + 1;
    end if;
    {state_check}
    return new;
end $$;
create trigger {table}_before before insert or update on {table} for each row execute function {table}_before();
"""

AFTER = """
create function topics_of(r {table}) returns text[] language sql immutable parallel safe as $$ select {topics} $$;

create function {table}_after() returns trigger language plpgsql set timezone = 'UTC' as $$
declare
    context jsonb := nullif(current_setting('hotpass.context', true), '')::jsonb;
    now_in text[] := '{{}}'; left_behind text[] := '{{}}'; happened text; whole text; at_id text; at_version bigint;
begin
    if tg_op = 'DELETE' then
        at_id := old.id; at_version := old.version + 1; left_behind := topics_of(old); happened := '{entity}.deleted';
    else
        at_id := new.id; at_version := new.version; now_in := topics_of(new); whole := row_to_json(new)::text;
        if tg_op = 'INSERT' then
            happened := {created};
        else
            left_behind := topics_of(old);
            left_behind := case when left_behind = now_in then '{{}}' else array(select unnest(left_behind) except select unnest(now_in)) end;
            happened := coalesce({moved}, '{entity}.changed');
        end if;
    end if;
    insert into outbox (entity, entity_id, version, topics, gone, event, row)
        values ('{entity}', at_id, at_version, now_in, left_behind, happened, whole);
    insert into audit_event (entity, entity_id, version, event, actor, reason, request_id, row)
        values ('{entity}', at_id, at_version, happened, coalesce(context ->> 'actor', 'database:' || session_user),
            context ->> 'reason', context ->> 'request_id', whole);
    return null;
end $$;
create trigger {table}_after after insert or update or delete on {table} for each row execute function {table}_after();
create trigger {table}_no_truncate before truncate on {table} for each statement execute function refuse_truncate();
"""

ORDER_STAMPS = """
        moment := greatest(moment, old.placed_at, old.accepted_at, old.started_at, old.ready_at, old.picked_up_at);
        case new.status
            when 'accepted' then new.accepted_at := moment;
            when 'preparing' then
                if old.status = 'ready' then new.ready_at := null; else new.started_at := moment; end if;
            when 'ready' then new.ready_at := moment;
            when 'out_for_delivery' then new.picked_up_at := moment;
            when 'delivered' then new.delivered_at := moment; new.ended_at := moment;
            when 'delivery_failed' then null;
            else new.ended_at := moment;
        end case;"""

LINE_STAMPS = """
        case new.state
            when 'fired' then
                if old.state = 'cooking' then new.started_at := null; else new.fired_at := moment; end if;
            when 'cooking' then
                if old.state = 'done' then new.done_at := null; else new.started_at := moment; end if;
            when 'done' then
                if old.state = 'checked' then new.checked_at := null; else new.done_at := moment; end if;
            when 'checked' then new.checked_at := moment;
            when 'remake' then
                new.fire_at := moment; new.fired_at := null; new.started_at := null; new.done_at := null; new.checked_at := null;
            else null;
        end case;"""

DELIVERY_STAMPS = """
        moment := greatest(moment, old.assigned_at, old.at_kitchen_at, old.picked_up_at);
        case new.status
            when 'waiting' then
                new.rider_id := null; new.rider_name := null; new.assigned_at := null; new.at_kitchen_at := null;
            when 'assigned' then new.assigned_at := moment;
            when 'at_kitchen' then new.at_kitchen_at := moment;
            when 'picked_up' then new.picked_up_at := moment;
            when 'at_door' then new.at_door_at := moment;
            when 'delivered' then new.delivered_at := moment; new.ended_at := moment;
            when 'returned' then new.ended_at := moment;
            when 'cancelled' then new.ended_at := moment;
            else null;
        end case;"""

OFFER_STAMPS = "new.answered_at := moment;"

RIDER_STAMPS = """
        if old.shift = 'off' then new.shift_started_at := moment; end if;
        if new.shift = 'off' then new.shift_started_at := null; new.shift_ends_at := null; end if;"""

OPEN = "case when r.archived_at is null then {} else '{{}}'::text[] end"
ORDER_TOPICS = "array['order:' || r.id] || " + OPEN.format(
    "array['kitchen:' || r.kitchen_id, 'customer:' || r.customer_id, 'operations:' || r.region]"
    " || case when r.rider_id is null then '{}'::text[] else array['rider:' || r.rider_id] end"
)

# table, entity, state column, stamps of a state change, topics of a row
SYNCED = (
    ("kitchen", "kitchen", None, "", "array['kitchen:' || r.id, 'operations:' || r.region, 'menu:' || r.id]"),
    ("brand", "brand", None, "", "array['kitchen:' || r.kitchen_id, 'menu:' || r.kitchen_id]"),
    ("station", "station", None, "", "array['kitchen:' || r.kitchen_id]"),
    ("item", "item", None, "", "array['kitchen:' || r.kitchen_id, 'menu:' || r.kitchen_id]"),
    ("person", "user", None, "", "array['user:' || r.id]"),
    ("role_grant", "grant", None, "", "array['user:' || r.person_id]"),
    ("rider", "rider", "shift", RIDER_STAMPS, "array['rider:' || r.id, 'operations:' || r.region]"),
    ("orders", "order", "status", ORDER_STAMPS, ORDER_TOPICS),
    ("order_line", "line", "state", LINE_STAMPS, "array['order:' || r.order_id] || " + OPEN.format("array['kitchen:' || r.kitchen_id]")),
    ("payment", "payment", "state", "", "array['order:' || r.order_id]"),
    ("delivery", "delivery", "status", DELIVERY_STAMPS, ORDER_TOPICS.replace("r.id", "r.order_id")),
    (
        "offer", "offer", "state", OFFER_STAMPS,
        "case when r.state = 'live' then array['rider:' || r.rider_id, 'operations:' || r.region] else '{}'::text[] end",
    ),
)  # fmt: skip

# No order enters a closed, paused or full kitchen: the kitchen's row is the lock, so a race cannot slip in.
ADMIT = """
create function orders_admit() returns trigger language plpgsql as $$
declare k kitchen;
begin
    select * into k from kitchen where id = new.kitchen_id for no key update;
    if not k.is_open then raise exception 'kitchen % is closed', k.code using errcode = 'HP010'; end if;
    if k.paused_until > product_now() then raise exception 'kitchen % is paused', k.code using errcode = 'HP011'; end if;
    if (select count(*) from orders where kitchen_id = k.id and archived_at is null
            and status in ('placed', 'accepted', 'preparing')) >= k.capacity_orders then
        raise exception 'kitchen % is full', k.code using errcode = 'HP012';
    end if;
    return new;
end $$;
create trigger orders_admit before insert on orders for each row execute function orders_admit();

create function orders_auto_accept() returns trigger language plpgsql as $$ begin
    update orders set status = 'accepted' where id = new.id and status = 'placed'
        and (select auto_accept from kitchen where id = new.kitchen_id);
    return null;
end $$;
create trigger orders_auto_accept after insert on orders for each row execute function orders_auto_accept();
"""

# The order follows its lines. Locking the order first makes the count true under concurrent bumps.
DERIVE = """
create function order_line_derive() returns trigger language plpgsql as $$
declare present text; unfinished integer; begun integer; checked integer;
begin
    select status into present from orders where id = new.order_id for no key update;
    if present not in ('accepted', 'preparing', 'ready') then return null; end if;
    select count(*) filter (where state not in ('checked', 'voided')),
           count(*) filter (where state in ('cooking', 'done', 'checked')),
           count(*) filter (where state = 'checked')
        into unfinished, begun, checked from order_line where order_id = new.order_id;
    if present = 'accepted' and begun > 0 then
        update orders set status = 'preparing' where id = new.order_id;
        present := 'preparing';
    end if;
    if present = 'preparing' and unfinished = 0 and checked > 0 then
        update orders set status = 'ready' where id = new.order_id;
    elsif present = 'ready' and unfinished > 0 then
        update orders set status = 'preparing' where id = new.order_id;
    end if;
    return null;
end $$;
create trigger order_line_derive after update of state on order_line for each row
    when (old.state is distinct from new.state) execute function order_line_derive();

-- A bag never holds more than it can, also when two offers are accepted in the same instant.
create function assignment_admit() returns trigger language plpgsql as $$
declare bag integer;
begin
    select capacity_orders into bag from rider where id = new.rider_id for no key update;
    if (select count(*) from assignment where rider_id = new.rider_id and ended_at is null) >= bag then
        raise exception 'rider % has no room', new.rider_id using errcode = 'HP020';
    end if;
    return new;
end $$;
create trigger assignment_admit before insert on assignment for each row execute function assignment_admit();

create function rider_shift_history() returns trigger language plpgsql as $$ begin
    if old.shift = 'off' then
        insert into rider_shift (rider_id, started_at) values (new.id, new.shift_started_at);
    elsif new.shift = 'off' then
        update rider_shift set ended_at = greatest(started_at, product_now()) where rider_id = new.id and ended_at is null;
    end if;
    return null;
end $$;
create trigger rider_shift_history after update of shift on rider for each row
    when (old.shift is distinct from new.shift) execute function rider_shift_history();
"""


def sync(table: str, entity: str, state: str | None, stamps: str, topics: str) -> None:
    """Attach the version, the move check, the outbox and the audit to one table."""
    check = STATE_CHECK.format(entity=entity, state=state, stamps=stamps) if state else ""
    found = "(select event from legal_move where entity = '{}' and source = {} and target = new.{})"
    created = f"'{entity}.created'" if state is None else found.format(entity, "''", state)
    moved = "null" if state is None else found.format(entity, f"old.{state}", state)
    execute(BEFORE.format(table=table, entity=entity, state_check=check))
    execute(AFTER.format(table=table, entity=entity, topics=topics, created=created, moved=moved))


def upgrade() -> None:
    """Apply the step."""
    execute(MOVES_TABLE)
    rows = [line.split("|") for line in LEGAL.strip().splitlines()]
    execute("insert into legal_move values " + ", ".join("('" + "','".join(row) + "')" for row in rows))
    execute(LOGS)
    execute(REFUSALS)
    for table in SYNCED:
        sync(*table)
    execute(ADMIT)
    execute(DERIVE)
