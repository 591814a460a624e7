"""Kitchen tablets: paired by a code, coming back by their own token, switched by a PIN, removed with all they hold.

Invariant: what was opened at a tablet ends with it, the sign-ins by PIN included (`device_session`).
"""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

CODE_MINUTES = 10
WITHIN = """(cast(:everywhere as boolean) or k.id = any(cast(:kitchen_ids as uuid[]))
    or k.region = any(cast(:regions as text[])))"""
SHOWN = """json_build_object('id', d.id, 'person_id', d.person_id, 'kitchen_id', d.kitchen_id, 'station_id',
    d.station_id,
    'name', d.name, 'code_expires_at', d.code_expires_at, 'paired_at', d.paired_at, 'created_at', d.created_at)::text"""

# kitchen_pk. A tablet is a person with one grant in one kitchen. Outside the reach, or a foreign station: no row.
ADD = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        place as (
            select k.id, s.id as station_id from kitchen k
                left join station s on s.kitchen_id = k.id and s.id = cast(:station_id as uuid), acting
            where k.id = cast(:kitchen_id as uuid) and setting is not null and {WITHIN}
                and (cast(:station_id as uuid) is null or s.id is not null)
        ),
        tablet as (insert into person (name) select cast(:name as text) from place returning id),
        granted as (
            insert into role_grant (person_id, role, scope)
            select tablet.id, cast(:role as text), 'kitchen:' || place.id from tablet, place
        ),
        d as (
            insert into device (person_id, kitchen_id, station_id, name, code_hash, code_expires_at, author_id)
            select tablet.id, place.id, place.station_id, cast(:name as text), cast(:code_hash as bytea),
                clock_timestamp() + interval '{CODE_MINUTES} minutes', cast(:principal_id as uuid)
            from tablet, place returning *
        ),
        answer as (select {SHOWN} as body from d),
        remembered as (
            insert into idempotency (principal_id, key, request_hash, status, answer)
            select cast(:principal_id as uuid), cast(:key as text), cast(:request_hash as bytea), 201, body from answer
        )
        select body from answer"""
    )
)
# device_kitchen
DEVICES_OF = Statement(
    text(
        f"""select {SHOWN} from device d join kitchen k on k.id = d.kitchen_id
        where d.kitchen_id = cast(:kitchen_id as uuid) and d.removed_at is null and {WITHIN} order by d.id"""
    )
)
# device_code_live: of a hundred tablets with one code, one is paired
PAIR = Statement(
    text(
        """update device set paired_at = clock_timestamp(), code_hash = null, code_expires_at = null,
            token_hash = cast(:token_hash as bytea)
        where code_hash = any(cast(:code_hashes as bytea[])) and code_expires_at > clock_timestamp()
            and removed_at is null
        returning id::text, person_id::text, kitchen_id::text, station_id::text, name"""
    )
)
# device_token_live, session_pk. The tablet of a token, with its own live session, a new one where that is nearly over.
ENTER = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        d as (
            select d.id, d.person_id, d.kitchen_id, d.station_id, d.name from device d
                join person p on p.id = d.person_id and p.is_active
            where d.token_hash = cast(:token_hash as bytea) and d.removed_at is null
        ),
        kept as (
            select s.id from d join device_session o on o.device_id = d.id
                join session s on s.id = o.session_id and s.person_id = d.person_id and s.state = 'live'
                    and s.expires_at > clock_timestamp() + interval '1 day'
            order by s.id desc limit 1
        ),
        opened as (
            insert into session (person_id, kind, device, expires_at)
            select d.person_id, 'device', d.name, clock_timestamp() + interval '90 days' from d, acting
            where setting is not null and not exists (select from kept)
            returning id
        ),
        linked as (insert into device_session (session_id, device_id) select opened.id, d.id from opened, d)
        select d.id::text, d.person_id::text, d.kitchen_id::text, d.station_id::text, d.name, s.id::text as session_id
        from d, (select id from kept union all select id from opened) as s"""
    )
)
# device_pk. No row: the tablet was removed. In the transaction that opens the session.
OPENED_AT = Statement(
    text(
        """insert into device_session (session_id, device_id)
        select cast(:session_id as uuid), id from device
            where id = cast(:device_id as uuid) and removed_at is null for share"""
    )
)
# device_session_pk
IS_OPENED_AT = Statement(
    text(
        """select exists (select from device_session
        where session_id = cast(:session_id as uuid) and device_id = cast(:device_id as uuid))"""
    )
)
# device_pk: before REMOVE in one transaction, so that no sign-in is opened at the tablet behind its back
LOCK = Statement(text("select from device where id = cast(:device_id as uuid) for update"))
# device_pk, device_session_device; its sessions, those opened at it, its grant and its person end with it
REMOVE = Statement(
    text(
        f"""with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        d as (
            update device set removed_at = clock_timestamp(), code_hash = null, code_expires_at = null,
                token_hash = null from kitchen k, acting
            where device.id = cast(:device_id as uuid) and removed_at is null and k.id = device.kitchen_id
                and setting is not null and {WITHIN}
            returning device.*
        ),
        ended as (update session s set state = 'revoked', reason = 'the tablet was removed' from d
            where s.state = 'live' and (s.person_id = d.person_id
                or s.id in (select session_id from device_session o where o.device_id = d.id))),
        disabled as (update person p set is_active = false from d where p.id = d.person_id)
        select {SHOWN} from d"""
    )
)
# device_person
DEVICE_OF = Statement(
    text(
        """select id::text, kitchen_id::text, station_id::text, name from device
        where person_id = cast(:person_id as uuid) and paired_at is not null and removed_at is null"""
    )
)
# pin_pk; no row, or pin_once: somebody of this kitchen has this PIN, under whichever key
SET_PIN = Statement(
    text(
        """insert into pin (person_id, kitchen_id, hash, key_id)
        select cast(:person_id as uuid), cast(:kitchen_id as uuid), cast(:hash as bytea), cast(:key_id as bytea)
        where not exists (select from pin where kitchen_id = cast(:kitchen_id as uuid)
            and person_id <> cast(:person_id as uuid) and hash = any(cast(:hashes as bytea[])))
        on conflict (kitchen_id, person_id) do update set hash = excluded.hash, key_id = excluded.key_id,
            changed_at = clock_timestamp()"""
    )
)
# pin_once: a PIN that was just given comes under the present key; one that was drawn anew meanwhile stays
RENEW_PIN = Statement(
    text(
        """update pin set hash = cast(:hash as bytea), key_id = cast(:key_id as bytea)
        where kitchen_id = cast(:kitchen_id as uuid) and hash = cast(:old as bytea)"""
    )
)
# pin_pk: PINs that no key of the ring can find any more
HAS_LOST_PINS = Statement(
    text(
        """select exists (select from pin
        where kitchen_id = cast(:kitchen_id as uuid) and key_id <> all(cast(:key_ids as bytea[])))"""
    )
)
# pin_once; only who still has a grant for the kitchen
PERSON_OF_PIN = Statement(
    text(
        """select p.id::text as person_id, pin.hash from pin join person p on p.id = pin.person_id and p.is_active
            join kitchen k on k.id = pin.kitchen_id
        where pin.kitchen_id = cast(:kitchen_id as uuid) and pin.hash = any(cast(:hashes as bytea[]))
            and exists (select from role_grant g where g.person_id = p.id
                and (g.expires_at is null or g.expires_at > clock_timestamp())
                and g.scope in ('*', 'kitchen:' || k.id, 'region:' || k.region))"""
    )
)
PLACE_OF_KITCHEN = Statement(text("select region from kitchen where id = cast(:kitchen_id as uuid)"))
