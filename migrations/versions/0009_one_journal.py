"""One journal: the audit row is the outbox row too, and the logs of the sequencer point at it instead of copying it.

before row   version + 1; only when the state changes: is the move legal, the time of the new state
after row    one audit row that also carries the topics now and the topics left behind
sequencer    audit_event -> change_log (pos) and topic_log (dense offset per topic), each with the id of the audit row

A row's text is written once, not three times; and what an erasure takes from the audit is gone from the logs as well.
"""

from __future__ import annotations

from importlib import import_module

from migrations.script import execute

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

pipeline = import_module("migrations.versions.0003_change_pipeline")
sessions = import_module("migrations.versions.0004_sessions")

# Sequenced rows take their topics from the log, the others from the outbox.
ONE_JOURNAL = """
alter table audit_event add column topics text[] not null default '{}', add column gone text[] not null default '{}';
alter table audit_event disable trigger audit_event_only_emptied;
update audit_event a set topics = o.topics, gone = o.gone from outbox o
    where (o.entity, o.entity_id, o.version) = (a.entity, a.entity_id, a.version);
update audit_event a set
    topics = array(select u.topic from unnest(c.topics, c.ops) as u (topic, op) where u.op = 'put'),
    gone = array(select u.topic from unnest(c.topics, c.ops) as u (topic, op) where u.op <> 'put')
    from change_log c where (c.entity, c.entity_id, c.version) = (a.entity, a.entity_id, a.version);
alter table audit_event enable trigger audit_event_only_emptied;

alter table topic_log add column audit_id bigint;
update topic_log t set audit_id = a.id from change_log c, audit_event a
    where (c.pos, c.day) = (t.pos, t.day) and (c.entity, c.entity_id, c.version) = (a.entity, a.entity_id, a.version);
alter table topic_log alter column audit_id set not null, drop column pos;

alter table change_log add column audit_id bigint;
update change_log c set audit_id = a.id from audit_event a
    where (c.entity, c.entity_id, c.version) = (a.entity, a.entity_id, a.version);
alter table change_log alter column audit_id set not null, drop column entity, drop column entity_id, drop column version,
    drop column event, drop column row, drop column at, drop column topics, drop column ops;
drop table outbox;

-- Offsets belong to topics, then to gone. A row that was erased is told as `out`: a newer version follows it.
create view change as
select c.pos, c.day, c.audit_id, a.entity, a.entity_id, a.version, a.event, a.row, a.at, a.topics || a.gone as topics,
    c.offsets,
    array_fill(case when a.row is null then 'out' else 'put' end, array[cardinality(a.topics)])
        || array_fill(case when a.row is null and a.row_hash is null then 'delete' else 'out' end,
            array[cardinality(a.gone)]) as ops
from change_log c join audit_event a on a.id = c.audit_id;
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
        moment := product_now();
        {stamps}
    end if;
"""

BEFORE = """
create or replace function {table}_before() returns trigger language plpgsql as $$
declare moment timestamptz;
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
"""

# The text of a row is the same whatever the writer's time zone. Setting it always would cost as much as the audit row.
AFTER = """
create or replace function {table}_after() returns trigger language plpgsql as $$
declare
    context jsonb := nullif(current_setting('hotpass.context', true), '')::jsonb;
    zone text := current_setting('timezone');
    now_in text[] := '{{}}'; left_behind text[] := '{{}}'; happened text := '{entity}.changed';
    whole text; at_id text; at_version bigint;
begin
    if tg_op = 'DELETE' then
        at_id := old.id; at_version := old.version + 1; left_behind := topics_of(old); happened := '{entity}.deleted';
    else
        at_id := new.id; at_version := new.version; now_in := topics_of(new);
        if tg_op = 'INSERT' then
            happened := {created};
        else
            left_behind := topics_of(old);
            if left_behind = now_in then
                left_behind := '{{}}';
            else
                left_behind := array(select unnest(left_behind) except select unnest(now_in));
            end if;
            {moved}
        end if;
        if zone = 'UTC' then
            whole := row_to_json(new)::text;
        else
            perform set_config('timezone', 'UTC', true);
            whole := row_to_json(new)::text;
            perform set_config('timezone', zone, true);
        end if;
    end if;
    insert into audit_event (entity, entity_id, version, topics, gone, event, actor, reason, request_id, row)
        values ('{entity}', at_id, at_version, now_in, left_behind, happened,
            coalesce(context ->> 'actor', 'database:' || session_user), context ->> 'reason', context ->> 'request_id', whole);
    return null;
end $$;
"""
MOVED = """
            if new.{state} is distinct from old.{state} then
                happened := (select event from legal_move where entity = '{entity}' and source = old.{state} and target = new.{state});
            end if;"""

TRIGGERS = """
create trigger {table}_before before insert or update on {table} for each row execute function {table}_before();
create trigger {table}_after after insert or update or delete on {table} for each row execute function {table}_after();
create trigger {table}_no_truncate before truncate on {table} for each statement execute function refuse_truncate();
"""

# table, entity, state column, stamps of a state change: what earlier steps synced
SYNCED = (
    *((table, entity, state, stamps) for table, entity, state, stamps, _ in pipeline.SYNCED),
    ("session", "session", "state", sessions.STAMPS),
    ("block", "block", None, ""),
    ("security_event", "security", None, ""),
)


def write_functions(table: str, entity: str, state: str | None, stamps: str) -> None:
    """The functions behind the triggers of one table; its `topics_of` exists."""
    check = STATE_CHECK.format(entity=entity, state=state, stamps=stamps) if state else ""
    created = f"'{entity}.created'"
    if state:
        created = f"(select event from legal_move where entity = '{entity}' and source = '' and target = new.{state})"
    moved = MOVED.format(entity=entity, state=state) if state else ""
    execute(BEFORE.format(table=table, entity=entity, state_check=check))
    execute(AFTER.format(table=table, entity=entity, created=created, moved=moved))


def sync(table: str, entity: str, state: str | None, stamps: str, topics: str) -> None:
    """Attach the version, the move check, and the journal to one more table. `topics` is an expression over its row `r`."""
    execute(
        f"create function topics_of(r {table}) returns text[] language sql immutable parallel safe as $$ select {topics} $$"
    )
    write_functions(table, entity, state, stamps)
    execute(TRIGGERS.format(table=table))


def upgrade() -> None:
    """Apply the step."""
    execute(ONE_JOURNAL)
    for table in SYNCED:
        write_functions(*table)
