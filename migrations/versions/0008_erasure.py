"""An audit row may lose what it tells about an erased person, and nothing else: its hash stays, so the chain holds."""

from __future__ import annotations

from migrations.script import execute

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ERASURE = """
alter table audit_event add column row_hash bytea;

-- Every row that was emptied; a chain with an emptied row that is not listed here was tampered with.
create table audit_erasure (
    audit_id bigint constraint audit_erasure_pk primary key,
    at timestamptz not null default clock_timestamp()
);
create trigger audit_erasure_append_only before update or delete or truncate on audit_erasure
    for each statement execute function refuse_change();

drop trigger audit_event_append_only on audit_event;
create trigger audit_event_append_only before delete or truncate on audit_event
    for each statement execute function refuse_change();

create function audit_event_only_emptied() returns trigger language plpgsql as $$
declare emptied audit_event := old;
begin
    emptied.row := null;
    emptied.row_hash := sha256(convert_to(old.row, 'UTF8'));
    if old.row is null or new is distinct from emptied then
        raise exception 'UPDATE of audit_event is refused: it is append-only' using errcode = 'HP004';
    end if;
    insert into audit_erasure (audit_id) values (old.id);
    return new;
end $$;
create trigger audit_event_only_emptied before update on audit_event
    for each row execute function audit_event_only_emptied();
"""


def upgrade() -> None:
    """Apply the step."""
    execute(ERASURE)
