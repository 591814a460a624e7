"""Passwords of the staff: set, read for a check, and brought to the present key."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

# password_pk; the person's row is touched too, so that the change is told and audited; every other session ends
SET = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        moved as (
            update person set name = name from acting
                where id = cast(:person_id as uuid) and is_active and setting is not null
            returning id
        ),
        ended as (update session s set state = 'revoked', reason = 'the password was changed' from moved
            where s.person_id = moved.id and s.state = 'live' and s.id is distinct from cast(:keep as uuid))
        insert into password (person_id, login, hash) select id, cast(:login as text), cast(:hash as text) from moved
        on conflict (person_id) do update
            set login = excluded.login, hash = excluded.hash, changed_at = clock_timestamp()
        returning person_id::text"""
    )
)
# password_login_once
BY_LOGIN = Statement(
    text(
        """select w.person_id::text, w.hash from password w join person p on p.id = w.person_id
        where w.login = cast(:login as text) and p.is_active"""
    )
)
# password_pk
BY_PERSON = Statement(text("select login, hash from password where person_id = cast(:person_id as uuid)"))
