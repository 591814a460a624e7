"""Ways to sign in: codes by phone, passwords, paired tablets with their PINs, and keys of integrators."""

from __future__ import annotations

from migrations.script import execute

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CODES = """
-- When codes were sent to a number: the row is the lock under which the next is counted.
create table otp_phone (
    phone_index bytea constraint otp_phone_pk primary key,
    sends timestamptz[] not null
);

-- A code is bound to its request and hashed with a key that is not in the database.
create table otp (
    id uuid constraint otp_pk primary key,
    phone_index bytea not null,
    phone bytea not null,
    purpose text not null constraint otp_purpose check (purpose in ('sign-in', 'change-phone')),
    person_id uuid constraint otp_person references person,
    code_hash bytea not null,
    ip text not null,
    tries integer not null constraint otp_tries check (tries between 0 and 5),
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    used_at timestamptz
) with (fillfactor = 70);
create index otp_phone_open on otp (phone_index, ip) where used_at is null;
create index otp_expires on otp (expires_at);
"""

PASSWORDS = """
create table password (
    person_id uuid constraint password_pk primary key constraint password_person references person,
    login text not null constraint password_login check (login ~ '^[a-z0-9][a-z0-9._@+-]{2,63}$'),
    hash text not null,
    changed_at timestamptz not null default clock_timestamp(),
    constraint password_login_once unique (login)
);
"""

DEVICES = """
-- A tablet is a person of its own with a grant in one kitchen; pairing turns its code into its first session.
create table device (
    id uuid constraint device_pk primary key default hotpass_uuid7(),
    person_id uuid not null constraint device_person references person,
    kitchen_id uuid not null constraint device_kitchen references kitchen,
    station_id uuid constraint device_station references station,
    name text not null constraint device_name check (length(name) between 1 and 60),
    code_hash bytea,
    code_expires_at timestamptz,
    paired_at timestamptz,
    removed_at timestamptz,
    author_id uuid not null constraint device_author references person,
    created_at timestamptz not null default clock_timestamp(),
    constraint device_code check ((code_hash is null) = (code_expires_at is null))
);
create unique index device_code_live on device (code_hash) where code_hash is not null;
create index device_kitchen on device (kitchen_id) where removed_at is null;
create index device_person on device (person_id);

-- Within one kitchen a PIN names one person.
create table pin (
    person_id uuid not null constraint pin_person references person,
    kitchen_id uuid not null constraint pin_kitchen references kitchen,
    hash bytea not null,
    changed_at timestamptz not null default clock_timestamp(),
    constraint pin_pk primary key (kitchen_id, person_id),
    constraint pin_once unique (kitchen_id, hash)
);
"""

KEYS = """
-- A key of an integrator: a person of its own with its grants; the key is exchanged for short access tokens of its session.
create table api_key (
    id uuid constraint api_key_pk primary key default hotpass_uuid7(),
    person_id uuid not null constraint api_key_person references person,
    session_id uuid not null constraint api_key_session references session,
    name text not null constraint api_key_name check (length(name) between 1 and 60),
    hash bytea not null constraint api_key_once unique,
    hint text not null,
    author_id uuid not null constraint api_key_author references person,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz
);
create index api_key_person on api_key (person_id);
"""


def upgrade() -> None:
    """Apply the step."""
    for part in (CODES, PASSWORDS, DEVICES, KEYS):
        execute(part)
