"""Tablets that come back by a token of their own, what was opened at them, and what a rotation of the data key needs."""

from __future__ import annotations

from migrations.script import execute

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

DEVICES = """
-- A paired tablet's own token, as a hash: good until the tablet is removed.
alter table device add column token_hash bytea;
create unique index device_token_live on device (token_hash) where token_hash is not null;

-- The sign-ins that were opened at a tablet, its own and those by PIN: they end with it.
create table device_session (
    session_id uuid constraint device_session_pk primary key
        constraint device_session_session references session on delete cascade,
    device_id uuid not null constraint device_session_device references device
);
create index device_session_device on device_session (device_id);
"""

KEYS = """
-- Which data key a PIN was hashed under; null: before this was written down.
alter table pin add column key_id bytea;

-- The number that a block by phone is about, sealed, for the day when its index must be made anew. Apart from the block,
-- whose whole row is told to the administration.
create table block_phone (
    block_id uuid constraint block_phone_pk primary key constraint block_phone_block references block on delete cascade,
    phone bytea not null
);
"""


def upgrade() -> None:
    """Apply the step."""
    execute(DEVICES)
    execute(KEYS)
