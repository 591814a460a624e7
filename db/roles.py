"""Granting and taking roles, and what protects the house from those who may do it.

Invariant: nobody grants to themselves,
    and nothing outside the grantor's own reach: both stand in the statement. That one
administrator of everything remains is kept by the database (migration 0005), under a lock.
"""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

WITHIN = """(cast(:everywhere as boolean) or g.scope = any(cast(:scopes as text[])))"""

# role_grant_once; a grant that is there gets the new end
GRANT = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        granted as (
            insert into role_grant (person_id, role, scope, expires_at)
            select p.id, cast(:role as text), cast(:scope as text), cast(:expires_at as timestamptz)
                from person p, acting
            where p.id = cast(:person_id as uuid) and p.is_active and p.id <> cast(:principal_id as uuid)
                and setting is not null
                and (cast(:everywhere as boolean) or cast(:scope as text) = any(cast(:scopes as text[])))
            on conflict (person_id, role, scope) do update set expires_at = excluded.expires_at
            returning *
        ),
        answer as (select row_to_json(granted)::text as body from granted),
        remembered as (
            insert into idempotency (principal_id, key, request_hash, status, answer)
            select cast(:principal_id as uuid), cast(:key as text), cast(:request_hash as bytea), 201, body from answer
        )
        select body from answer"""
    )
)
# role_grant_pk. Outside the reach: no row. The last administrator: HP033.
TAKE = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        taken as (delete from role_grant g using acting
            where g.id = cast(:grant_id as uuid) and setting is not null and {WITHIN} returning g.*)
        select row_to_json(taken)::text from taken"""
    )
)
# role_grant_once
GRANTS_PAGE = Statement(
    text(
        f"""select row_to_json(g)::text from role_grant g
        where {WITHIN} and (cast(:person_id as uuid) is null or g.person_id = cast(:person_id as uuid))
            and (cast(:role as text) is null or g.role = cast(:role as text))
            and (cast(:after as uuid) is null or g.id < cast(:after as uuid))
        order by g.id desc limit 201"""
    )
)
# What has run out is taken, so that live screens lose it too.
TAKE_EXPIRED = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        over as (
            select id from role_grant, acting where expires_at <= clock_timestamp() and setting is not null
            order by expires_at limit 200 for update of role_grant skip locked
        )
        delete from role_grant g using over where g.id = over.id returning g.id"""
    )
)
