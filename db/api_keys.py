"""Keys of integrators: made, exchanged for access tokens, revoked. The key itself is never here, only its hash."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

SHOWN = """json_build_object('id', a.id, 'person_id', a.person_id, 'name', a.name, 'hint', a.hint, 'created_at',
    a.created_at,
    'expires_at', a.expires_at, 'revoked_at', a.revoked_at, 'last_used_at', a.last_used_at)::text"""

# A key is a person with its grants and one session.
ADD = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        machine as (insert into person (name) select cast(:name as text)
            from acting where setting is not null returning id),
        granted as (
            insert into role_grant (person_id, role, scope)
            select id, 'integrator', scope from machine, unnest(cast(:scopes as text[])) as scope
        ),
        opened as (
            insert into session (person_id, kind, device, expires_at)
            select id, 'minted', cast(:name as text), cast(:expires_at as timestamptz)
                from machine returning id, person_id
        ),
        a as (
            insert into api_key (person_id, session_id, name, hash, hint, author_id, expires_at)
            select person_id, id, cast(:name as text), cast(:hash as bytea), cast(:hint as text),
                cast(:principal_id as uuid),
                cast(:expires_at as timestamptz)
            from opened returning *
        ),
        answer as (select {SHOWN} as body from a),
        remembered as (
            insert into idempotency (principal_id, key, request_hash, status, answer)
            select cast(:principal_id as uuid), cast(:key as text), cast(:request_hash as bytea), 201, body from answer
        )
        select body from answer"""
    )
)
# api_key_once
EXCHANGE = Statement(
    text(
        """update api_key a set last_used_at = clock_timestamp() from session s, person p
        where a.hash = cast(:hash as bytea) and a.revoked_at is null and a.expires_at > clock_timestamp()
            and s.id = a.session_id and s.state = 'live' and p.id = a.person_id and p.is_active
        returning a.person_id::text, a.session_id::text"""
    )
)
# api_key_pk
REVOKE = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        a as (
            update api_key set revoked_at = clock_timestamp() from acting
            where id = cast(:api_key_id as uuid) and revoked_at is null and setting is not null returning api_key.*
        ),
        ended as (update session s set state = 'revoked', reason = 'the key was revoked' from a
            where s.id = a.session_id and s.state = 'live')
        select {SHOWN} from a"""
    )
)
API_KEYS = Statement(text(f"select {SHOWN} from api_key a where revoked_at is null order by id desc limit 200"))
