"""Sign-ins as a synced entity, so that a revocation travels like every other change; refresh tokens; spent demo links."""

from __future__ import annotations

from importlib import import_module

from migrations.script import execute

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

pipeline = import_module("migrations.versions.0003_change_pipeline")

SESSIONS = """
create table session (
    id uuid constraint session_pk primary key default hotpass_uuid7(),
    person_id uuid not null constraint session_person references person,
    kind text not null constraint session_kind check (kind in ('phone', 'password', 'device', 'demo', 'minted')),
    device text not null default '' constraint session_device_length check (length(device) <= 100),
    state text not null default 'live',
    reason text,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    version bigint not null,
    constraint session_revoked check ((state = 'revoked') = (revoked_at is not null))
) with (fillfactor = 70);
create index session_person_live on session (person_id, id) where state = 'live';
create index session_person_revoked on session (person_id, revoked_at) where state = 'revoked';
create index session_expires on session (expires_at);

-- Where and when a session was used last: changes often and belongs to nobody else, so it is neither synced nor audited.
create table session_use (
    session_id uuid constraint session_use_pk primary key constraint session_use_session references session on delete cascade,
    last_seen_at timestamptz not null default clock_timestamp(),
    ip text not null default '',
    user_agent text not null default ''
) with (fillfactor = 50);

-- `sealed` is the successor, encrypted under the token itself: only who holds the spent token can be given it again.
create table refresh_token (
    hash bytea constraint refresh_token_pk primary key,
    session_id uuid not null constraint refresh_token_session references session on delete cascade,
    issued_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    used_at timestamptz,
    successor bytea,
    sealed bytea,
    constraint refresh_token_spent check ((used_at is null) = (successor is null) and (successor is null) = (sealed is null))
) with (fillfactor = 70);
create index refresh_token_session on refresh_token (session_id);
create index refresh_token_expires on refresh_token (expires_at);

create table demo_link_used (
    token_id text constraint demo_link_used_pk primary key,
    used_at timestamptz not null default clock_timestamp()
);

insert into legal_move values
    ('session', '', 'live', 'sign-in', 'session.created'),
    ('session', 'live', 'revoked', 'revoke', 'session.revoked');
"""

STAMPS = "new.revoked_at := clock_timestamp();"


def upgrade() -> None:
    """Apply the step."""
    execute(SESSIONS)
    pipeline.sync("session", "session", "state", STAMPS, "array['user:' || r.person_id]")
