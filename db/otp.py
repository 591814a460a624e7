"""Codes by phone: sent under a count that a race cannot pass, tried under a count that a race cannot pass."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

CODE_MINUTES = 5
MOST_TRIES = 5
MOST_IN_TEN_MINUTES = 3
MOST_A_DAY = 10

# otp_phone_pk is the lock: the condition is evaluated anew on the row as the winner left it. No row: too soon, or the
# tries of an open code from the same address are used up. A resend inherits the tries.
SEND = Statement(
    text(
        f"""with counted as (
            insert into otp_phone as p (phone_index, sends) values (cast(:phone_index as bytea),
                array[clock_timestamp()])
            on conflict (phone_index) do update set sends = array(
                    select s from unnest(p.sends) s where s > clock_timestamp() - interval '1 day') || clock_timestamp()
                where (select count(*) filter (where s > clock_timestamp() - interval '1 day') < {MOST_A_DAY}
                        and count(*) filter (where s > clock_timestamp() - interval '10 minutes')
                            < {MOST_IN_TEN_MINUTES}
                        and coalesce(max(s), '-infinity') <= clock_timestamp() - (
                            case count(*) filter (where s > clock_timestamp() - interval '10 minutes')
                                when 0 then 0 when 1 then 30 when 2 then 60 else 120 end) * interval '1 second'
                    from unnest(p.sends) s)
            returning phone_index
        ),
        before as (
            select coalesce(max(tries), 0) as tries from otp
            where phone_index = cast(:phone_index as bytea) and ip = cast(:ip as text) and used_at is null
                and expires_at > clock_timestamp()
        )
        insert into otp (id, phone_index, phone, purpose, person_id, code_hash, ip, tries, expires_at)
        select cast(:otp_id as uuid), counted.phone_index, cast(:phone as bytea), cast(:purpose as text),
            cast(:person_id as uuid), cast(:code_hash as bytea), cast(:ip as text), before.tries,
            clock_timestamp() + interval '{CODE_MINUTES} minutes'
        from counted, before where before.tries < {MOST_TRIES}
        returning expires_at"""
    )
)
# otp_phone_pk: when the next code may be sent, in seconds
WAIT = Statement(
    text(
        f"""select ceil(extract(epoch from greatest(
            max(s) + (case count(*) filter (where s > clock_timestamp() - interval '10 minutes')
                when 1 then 30 when 2 then 60 else 120 end) * interval '1 second',
            case when count(*) filter (where s > clock_timestamp() - interval '10 minutes') >= {MOST_IN_TEN_MINUTES}
                then min(s) filter (where s > clock_timestamp() - interval '10 minutes') + interval '10 minutes' end,
            case when count(*) filter (where s > clock_timestamp() - interval '1 day') >= {MOST_A_DAY}
                then min(s) filter (where s > clock_timestamp() - interval '1 day') + interval '1 day' end)
            - clock_timestamp()))::integer
        from otp_phone p, unnest(p.sends) s where p.phone_index = cast(:phone_index as bytea)"""
    )
)
# otp_pk. Counts and compares in one step: of a hundred right answers at once, one succeeds.
TRY = Statement(
    text(
        f"""update otp set tries = tries + 1,
            used_at = case when code_hash = any(cast(:code_hashes as bytea[])) then clock_timestamp() end
        where id = cast(:otp_id as uuid) and used_at is null and tries < {MOST_TRIES} and expires_at > clock_timestamp()
        returning used_at is not null as is_right, tries, phone, phone_index, purpose, person_id::text"""
    )
)
# contact_phone_once
PERSON_BY_PHONE = Statement(
    text("select person_id::text from contact where phone_index = any(cast(:phone_indexes as bytea[]))")
)
# A customer who was never here. A number that somebody took meanwhile: contact_phone_once.
ENROL_CUSTOMER = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        added as (
            insert into person (id, name, locale)
                select cast(:person_id as uuid), cast(:name as text), cast(:locale as text)
            from acting where setting is not null returning id
        ),
        granted as (insert into role_grant (person_id, role, scope) select id, 'customer', 'own' from added),
        reached as (insert into contact (person_id, phone, phone_index)
            select id, cast(:phone as bytea), cast(:phone_index as bytea) from added)
        select id::text from added"""
    )
)
# contact_pk; the person's row is touched too, so that the change is told and audited
CHANGE_PHONE = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        moved as (
            update person set name = name from acting
                where id = cast(:person_id as uuid) and is_active and setting is not null
            returning id
        )
        insert into contact (person_id, phone, phone_index)
        select id, cast(:phone as bytea), cast(:phone_index as bytea) from moved
        on conflict (person_id) do update set phone = excluded.phone, phone_index = excluded.phone_index,
            changed_at = clock_timestamp()
        returning person_id"""
    )
)
# otp_expires
FORGET = Statement(text("delete from otp where expires_at < clock_timestamp() - interval '1 day'"))
FORGET_PHONES = Statement(text("delete from otp_phone where clock_timestamp() - interval '1 day' > all (sends)"))
