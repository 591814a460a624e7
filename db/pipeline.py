"""From outbox to change log: every statement of the sequencer, of the workers' log reader, and of snapshots.

The outbox is the audit: one row of `audit_event` for every change, written by trigger in the writer's transaction. The
sequencer reads the rows that its stored snapshot could not see, decides their order in memory, and appends: nothing it
writes is ever updated, so an open transaction elsewhere cannot make it slower. Its place is the newest row of
`sequencer_place`; a second writer meets that table's key or a newer term, and appends nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from db.statement import Statement

# not visible in a snapshot  <=>  xid >= its xmax, or xid among its running ones: two accesses of audit_event_xid
_UNSEEN = """
    select {columns} from audit_event where xid >= pg_snapshot_xmax(cast(:snapshot as text)::pg_snapshot)
    union all
    select {columns} from audit_event
    where xid = any(array(select pg_snapshot_xip(cast(:snapshot as text)::pg_snapshot)))
"""
# Six digits always: a change reads the same from the stream and from the log.
_AT = """to_char({} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
_OUTBOX = "id, xid, entity, entity_id, version, topics, gone, event, row, row_hash, at"


def unseen_by(snapshot: str) -> dict[str, Any]:
    """What a `pg_snapshot` (`xmin:xmax:running,…`) could not see, as parameters: from xmax on, and the running ones."""
    _, beyond, running = snapshot.split(":")
    return {"beyond": beyond, "running": running.split(",") if running else []}


# The same up to `target`, by id, with the snapshot taken apart (`unseen_by`): half the cost of what is asked most.
_NEW = f"""
    select {_OUTBOX} from (
        select {_OUTBOX} from audit_event where xid >= cast(:beyond as text)::xid8
        union all
        select {_OUTBOX} from audit_event where xid = any(cast(:running as text[])::xid8[])
    ) as unseen
    where (cast(:target as text) is null or pg_visible_in_snapshot(xid, cast(:target as text)::pg_snapshot))
        and id > cast(:after_id as bigint)
    order by id limit cast(:most as integer)
"""
_NEW_COLUMNS = f"""pg_current_snapshot()::text as now, u.id, u.entity, u.entity_id, u.version, u.topics, u.gone,
    u.event, u.row, u.row_hash is not null as is_erased, {_AT.format("u.at")} as at"""
READ = Statement(text(f"select {_NEW_COLUMNS} from ({_NEW}) as u order by u.id"))

# One statement, one transaction: changes, topics and the new place, or nothing and no row: then a newer term leads. It
# also reads what lies behind the new place: under load the next batch costs no statement of its own. Lists come as
# text, because the driver would look at every element of an array.
APPEND = Statement(
    text(
        f"""
        with mine as (select where not exists (select from sequencer_term where term > cast(:term as bigint))),
        today as (select (clock_timestamp() at time zone 'utc')::date as day),
        changes as (
            insert into change_log (pos, day, audit_id, offsets)
            select cast(:first as bigint) + c.number - 1, today.day, c.audit_id::bigint,
                coalesce(string_to_array(c.offsets, ' '), '{{}}')::bigint[]
            from mine, today, unnest(string_to_array(cast(:audit_ids as text), ' '),
                string_to_array(cast(:offsets as text), ',')) with ordinality as c(audit_id, offsets, number)
        ),
        by_topic as (
            insert into topic_log (topic, topic_offset, audit_id, op, day)
            select t.topic, t.topic_offset::bigint, t.audit_id::bigint, t.op, today.day
            from mine, today, unnest(string_to_array(cast(:log_topics as text), ' '),
                string_to_array(cast(:log_offsets as text), ' '), string_to_array(cast(:log_audit_ids as text), ' '),
                string_to_array(cast(:log_ops as text), ' ')) as t(topic, topic_offset, audit_id, op)
        ),
        placed as (
            insert into sequencer_place (number, term, pos, snapshot, target, after_id)
            select cast(:number as bigint), cast(:term as bigint), cast(:pos as bigint), cast(:snapshot as text),
                cast(:target as text), cast(:after_id as bigint) from mine
            returning number
        )
        select placed.number, {_NEW_COLUMNS} from placed left join ({_NEW}) as u on true order by u.id
        """
    )
)

PLACE = Statement(
    text("select number, pos, snapshot, target, after_id from sequencer_place order by number desc limit 1")
)
TERM = Statement(text("select term, epoch from sequencer_term order by term desc limit 1"))
# A new term; the epoch rises when the cluster or its timeline is another one, or when the caller says that history
# was lost.
LEAD = Statement(
    text(
        """insert into sequencer_term (epoch, system, holder)
        select case when last.epoch is null then 1 when last.system <> here.system then last.epoch + 1
                else greatest(last.epoch, cast(:epoch as bigint)) end,
            here.system, pg_backend_pid()
        from (select (select system_identifier from pg_control_system()) || '/'
            || (select timeline_id from pg_control_checkpoint()) as system) as here
        left join lateral (select epoch, system from sequencer_term order by term desc limit 1) as last on true
        returning term, epoch"""
    )
)
# topic_log_pk backwards per topic and day, then what dropped days left behind
HEADS = Statement(
    text(
        """select t.topic, coalesce(
            (select l.topic_offset from topic_log l where l.topic = t.topic order by l.topic_offset desc limit 1),
            (select h.head from topic_head h where h.topic = t.topic), 0) as head
        from unnest(cast(:topics as text[])) as t(topic)"""
    )
)
# Whoever wins beats in the same breath: else a standby would depose it for its predecessor's silence.
TRY_LOCK = Statement(
    text(
        """with tried as materialized (select pg_try_advisory_lock(cast(:lock as bigint)) as is_won),
            beaten as (update sequencer_heartbeat set at = clock_timestamp() where (select is_won from tried))
        select is_won from tried"""
    )
)
BEAT = Statement(
    text(
        """update sequencer_heartbeat set term = cast(:term as bigint), at = clock_timestamp()
        where term <= cast(:term as bigint)"""
    )
)
# A leader that hangs keeps its session, and with it the lock: after a second of silence a standby ends that session.
DEPOSE = Statement(
    text(
        """select pg_terminate_backend(l.pid) from pg_locks l, sequencer_heartbeat b
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.classid = 0
            and l.objid = cast(:lock as bigint)::oid
            and l.database = (select oid from pg_database where datname = current_database())
            and b.at < clock_timestamp() - interval '1 second'"""
    )
)
CLEAN_PLACES = Statement(
    text(
        """delete from sequencer_place where at < clock_timestamp() - interval '60 seconds'
        and number < (select max(number) - 100 from sequencer_place)"""
    )
)
ENSURE_DAYS = Statement(text("select ensure_change_days(2)"))
# What is committed and not yet in the log, and how old its oldest row is.
LAG = Statement(
    text(
        f"""select count(*) as waiting,
            coalesce(extract(epoch from clock_timestamp() - min(at)), 0)::float8 as oldest_seconds
        from ({_UNSEEN.format(columns="at")}) as unseen"""
    )
)

_LOG = f"pos, entity, entity_id, version, event, row, {_AT.format('at')} as at, topics, offsets, ops"
# change_log_pk of each day, audit_event_pk
LOG_AFTER = Statement(
    text(f"select {_LOG} from change where pos > cast(:pos as bigint) order by pos limit cast(:most as integer)")
)
LOG_FIRST = Statement(text("select pos from change_log order by pos limit 1"))
# The place of a whole snapshot: read first inside its REPEATABLE READ transaction.
HERE = Statement(
    text(
        """select t.epoch, p.pos, p.snapshot from (select epoch from sequencer_term order by term desc limit 1) as t,
            (select pos, snapshot from sequencer_place order by number desc limit 1) as p"""
    )
)
# topic_log_pk: the head of a topic and the first offset that can still be replayed
TOPIC_SPAN = Statement(
    text(
        """select coalesce(
                (select topic_offset from topic_log where topic = cast(:topic as text)
                    order by topic_offset desc limit 1),
                (select head from topic_head where topic = cast(:topic as text)), 0) as head,
            (select topic_offset from topic_log where topic = cast(:topic as text)
                order by topic_offset limit 1) as first"""
    )
)
# topic_log_pk, then audit_event_pk. A row that was erased since is told as `out`, as the view `change` does.
REPLAY = Statement(
    text(
        f"""select t.topic_offset, case when t.op = 'put' and a.row is null then 'out' else t.op end as op,
            a.entity, a.entity_id, a.version, a.event, a.row, {_AT.format("a.at")} as at
        from topic_log t join audit_event a on a.id = t.audit_id
        where t.topic = cast(:topic as text) and t.topic_offset > cast(:after as bigint)
            and t.topic_offset <= cast(:until as bigint)
        order by t.topic_offset limit cast(:most as integer)"""
    )
)
# Committed, not yet sequenced, and no longer in the topic: a late `put` must not show the row once more.
LEFT_BEHIND = Statement(
    text(
        f"""select entity, entity_id, max(version) as version
        from ({_UNSEEN.format(columns="entity, entity_id, version, gone")}) as unseen
        where gone @> array[cast(:topic as text)] group by entity, entity_id"""
    )
)
