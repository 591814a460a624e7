"""What the administration does with people: list, add, disable, look at, merge, erase.

Invariant: nobody's phone or address is read but through `REVEAL`, which writes who, whose and why in the same
statement. Money rows outlive their customer: erasing takes the person out of them, never the amounts.
"""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

# person_pk, contact_phone_once; `phones` are blind indexes, or null
PEOPLE_PAGE = Statement(
    text(
        """select row_to_json(p)::text as person, c.person_id is not null as has_phone,
            array(select g.role || ' ' || g.scope from role_grant g where g.person_id = p.id order by g.id) as roles
        from person p left join contact c on c.person_id = p.id
        where (cast(:phones as bytea[]) is null or c.phone_index = any(cast(:phones as bytea[])))
            and (cast(:after as uuid) is null or p.id < cast(:after as uuid))
        order by p.id desc limit 201"""
    )
)
PERSON = Statement(
    text(
        """select row_to_json(p)::text as person, c.person_id is not null as has_phone,
            coalesce((select json_agg(row_to_json(g) order by g.id)
                from role_grant g where g.person_id = p.id), '[]')::text as grants
        from person p left join contact c on c.person_id = p.id where p.id = cast(:person_id as uuid)"""
    )
)
# person_pk, address_person. No row: there is no such person.
REVEAL = Statement(
    text(
        """with seen as (
            insert into data_access (actor_id, subject_id, what, reason, request_id)
            select cast(:actor_id as uuid), p.id, 'phone, addresses', cast(:reason as text), cast(:request_id as text)
            from person p where p.id = cast(:person_id as uuid) returning subject_id
        )
        select c.phone, coalesce((select json_agg(row_to_json(a) order by a.created_at) from address a
            where a.person_id = seen.subject_id), '[]')::text as addresses
        from seen left join contact c on c.person_id = seen.subject_id"""
    )
)
# data_access_subject, data_access_actor; newest first
LOOKS = Statement(
    text(
        """select id, at, actor_id::text, subject_id::text, what, reason, request_id from data_access
        where (cast(:subject_id as uuid) is null or subject_id = cast(:subject_id as uuid))
            and (cast(:actor_id as uuid) is null or actor_id = cast(:actor_id as uuid))
        order by id desc limit 200"""
    )
)
# A number that is taken: contact_phone_once.
ADD = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        added as (
            insert into person (id, name, locale)
                select cast(:person_id as uuid), cast(:name as text), cast(:locale as text)
            from acting where setting is not null returning *
        ),
        reached as (
            insert into contact (person_id, phone, phone_index)
            select id, cast(:phone as bytea), cast(:phone_index as bytea)
                from added where cast(:phone as bytea) is not null
        ),
        answer as (select row_to_json(added)::text as body from added),
        remembered as (
            insert into idempotency (principal_id, key, request_hash, status, answer)
            select cast(:principal_id as uuid), cast(:key as text), cast(:request_hash as bytea), 201, body from answer
        )
        select body from answer"""
    )
)
# A disabled person's sessions end with it. The last administrator: HP033.
SET_ACTIVE = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        moved as (
            update person set is_active = cast(:is_active as boolean) from acting
            where id = cast(:person_id as uuid) and erased_at is null and merged_into is null and setting is not null
                and (cast(:version as bigint) is null or version = cast(:version as bigint))
            returning person.*
        ),
        ended as (
            update session s set state = 'revoked', reason = 'the person was disabled' from moved
            where s.person_id = moved.id and not moved.is_active and s.state = 'live'
        )
        select row_to_json(moved)::text from moved"""
    )
)
PERSON_ROW = Statement(text("select row_to_json(person)::text from person where id = cast(:person_id as uuid)"))

# What belonged to `from` belongs to `into`. Both must be there, and apart; orders keep their amounts and their names.
MERGE = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        kept as (select id, name from person where id = cast(:into_id as uuid) and is_active),
        moved as (
            update person p set is_active = false, merged_into = kept.id from kept, acting
            where p.id = cast(:person_id as uuid) and p.id <> kept.id and p.merged_into is null and p.erased_at is null
                and setting is not null
            returning p.*
        ),
        ended as (update session s set state = 'revoked', reason = 'the person was merged' from moved
            where s.person_id = moved.id and s.state = 'live'),
        their_orders as (update orders o set customer_id = kept.id, customer_name = kept.name
            from moved, kept where o.customer_id = moved.id),
        their_deliveries as (update delivery d set customer_id = kept.id
            from moved, kept where d.customer_id = moved.id),
        their_addresses as (
            update address a set is_default = false, person_id = kept.id, version = a.version + 1
                from moved, kept where a.person_id = moved.id
        ),
        their_blocks as (update block b set subject = replace(b.subject, moved.id::text, kept.id::text)
            from moved, kept where b.kind in ('person', 'pair') and b.lifted_at is null
                and moved.id::text = any(string_to_array(b.subject, ' '))),
        their_grants as (
            delete from role_grant g using moved where g.person_id = moved.id returning g.role, g.scope, g.expires_at
        ),
        passed_on as (
            insert into role_grant (person_id, role, scope, expires_at)
            select kept.id, g.role, g.scope, g.expires_at from their_grants g, kept where g.role = 'customer'
            on conflict (person_id, role, scope) do nothing
        )
        select row_to_json(moved)::text from moved"""
    )
)
# In the same transaction: a contact is sealed to its person, so it is sealed anew by who merges.
TAKE_CONTACT = Statement(
    text("delete from contact where person_id = cast(:person_id as uuid) returning phone, phone_index")
)
GIVE_CONTACT = Statement(
    text(
        """insert into contact (person_id, phone, phone_index)
        values (cast(:person_id as uuid), cast(:phone as bytea), cast(:phone_index as bytea))
        on conflict (person_id) do nothing"""
    )
)

# Coordinates keep a kilometre, so that reports still know the part of town.
ERASE = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        moved as (
            update person p set name = 'erased', locale = 'en', time_zone = 'UTC', notifications = '{}',
                is_active = false,
                erased_at = clock_timestamp() from acting
            where p.id = cast(:person_id as uuid) and p.erased_at is null and setting is not null
                and not exists (select from orders where customer_id = p.id and ended_at is null)
            returning p.*
        ),
        ended as (update session s set state = 'revoked', device = '', reason = 'the person was erased' from moved
            where s.person_id = moved.id and s.state = 'live'),
        no_use as (delete from session_use u using session s, moved
            where s.person_id = moved.id and u.session_id = s.id),
        no_contact as (delete from contact c using moved where c.person_id = moved.id),
        no_address as (delete from address a using moved where a.person_id = moved.id),
        no_password as (delete from password w using moved where w.person_id = moved.id),
        no_pin as (delete from pin using moved where pin.person_id = moved.id),
        no_grant as (delete from role_grant g using moved where g.person_id = moved.id),
        no_answer as (delete from idempotency i using moved where i.principal_id = moved.id),
        their_orders as (
            update orders o set customer_name = 'erased', note = '', drop_lat = round(o.drop_lat::numeric, 2),
                drop_lon = round(o.drop_lon::numeric, 2)
            from moved where o.customer_id = moved.id
        ),
        their_deliveries as (
            update delivery d set drop_lat = round(d.drop_lat::numeric, 2), drop_lon = round(d.drop_lon::numeric, 2)
            from moved where d.customer_id = moved.id
        ),
        as_rider as (update rider r set name = 'erased', home_lat = round(r.home_lat::numeric, 1),
            home_lon = round(r.home_lon::numeric, 1)
            from moved where r.id = moved.id)
        select row_to_json(moved)::text from moved"""
    )
)
# In the same transaction, after `ERASE`: what the audit told about the person, all but the rows that now say "erased".
EMPTY_AUDIT = Statement(
    text(
        """with theirs as (
            select id::text from session where person_id = cast(:person_id as uuid)
            union all select id::text from orders where customer_id = cast(:person_id as uuid)
            union all select id::text from delivery where customer_id = cast(:person_id as uuid)
            union all select cast(:person_id as text)
        )
        update audit_event a set row = null, row_hash = sha256(convert_to(a.row, 'UTF8'))
        from theirs where a.entity_id = theirs.id and a.row is not null
            and a.version < (select max(b.version) from audit_event b where b.entity_id = a.entity_id)"""
    )
)
HAS_OPEN_ORDER = Statement(
    text("select exists(select from orders where customer_id = cast(:person_id as uuid) and ended_at is null)")
)
