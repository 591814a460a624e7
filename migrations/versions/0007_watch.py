"""Watching the door: security events, who read whose private data, and the chain over the audit."""

from __future__ import annotations

from importlib import import_module

from migrations.script import execute

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

pipeline = import_module("migrations.versions.0003_change_pipeline")

SECURITY = """
create table security_event (
    id uuid constraint security_event_pk primary key default hotpass_uuid7(),
    at timestamptz not null default clock_timestamp(),
    kind text not null,
    severity text not null constraint security_event_severity check (severity in ('notice', 'warning', 'alarm')),
    person_id uuid,
    ip text not null default '',
    detail text not null default '',
    request_id text,
    version bigint not null
);
create index security_event_kind on security_event (kind, at);
create trigger security_event_append_only before update or delete on security_event for each statement execute function refuse_change();

create table data_access (
    id bigint generated always as identity constraint data_access_pk primary key,
    at timestamptz not null default clock_timestamp(),
    actor_id uuid not null,
    subject_id uuid not null,
    what text not null,
    reason text not null,
    request_id text
);
create index data_access_subject on data_access (subject_id, id);
create index data_access_actor on data_access (actor_id, id);
create trigger data_access_append_only before update or delete or truncate on data_access for each statement execute function refuse_change();
"""

# An audit row is chained once it is visible; `xid` finds what an earlier snapshot could not see, in whatever order
# transactions committed.
CHAIN = """
alter table audit_event add column xid xid8 not null default pg_current_xact_id();
create index audit_event_xid on audit_event (xid);

create table audit_link (
    number bigint constraint audit_link_pk primary key,
    audit_id bigint not null constraint audit_link_once unique,
    row_hash bytea not null,
    hash bytea not null
);
create trigger audit_link_append_only before update or delete or truncate on audit_link for each statement execute function refuse_change();

-- The newest place is where the chain stands; `mac` is keyed outside the database, so a head cannot be made up inside it.
create table audit_anchor (
    number bigint constraint audit_anchor_pk primary key,
    hash bytea not null,
    snapshot text not null,
    mac bytea not null,
    at timestamptz not null default clock_timestamp()
);
create trigger audit_anchor_append_only before update or delete or truncate on audit_anchor for each statement execute function refuse_change();
"""


def upgrade() -> None:
    """Apply the step."""
    execute(SECURITY)
    pipeline.sync("security_event", "security", None, "", "array['administration']")
    execute(CHAIN)
