"""Who may not order: blocks are made and lifted here, and checked by the database itself at every placement."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

# An administrator is never blocked, nor anybody by themselves. `phone` is sealed, null but for a block by phone.
ADD = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        added as (
            insert into block (id, kind, subject, effect, reason, author_id, expires_at)
            select cast(:block_id as uuid), cast(:kind as text), cast(:subject as text), cast(:effect as text),
                cast(:reason as text), cast(:principal_id as uuid), cast(:expires_at as timestamptz)
            from acting where setting is not null and not exists (
                select from role_grant g left join contact c on c.person_id = g.person_id
                where (g.role = 'administrator' or g.person_id = cast(:principal_id as uuid))
                    and ((cast(:kind as text) = 'person' and g.person_id::text = cast(:subject as text))
                        or (cast(:kind as text) = 'phone' and encode(c.phone_index, 'hex') = cast(:subject as text))))
            returning *
        ),
        kept as (insert into block_phone (block_id, phone) select id, cast(:phone as bytea) from added
            where cast(:phone as bytea) is not null),
        answer as (select row_to_json(added)::text as body from added),
        remembered as (
            insert into idempotency (principal_id, key, request_hash, status, answer)
            select cast(:principal_id as uuid), cast(:key as text), cast(:request_hash as bytea), 201, body from answer
        )
        select body from answer"""
    )
)
# block_pk
LIFT = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        moved as (
            update block set lifted_at = clock_timestamp() from acting
            where id = cast(:block_id as uuid) and lifted_at is null and setting is not null returning block.*
        ),
        forgotten as (delete from block_phone using moved where block_id = moved.id)
        select row_to_json(moved)::text from moved"""
    )
)
# block_pk, newest first
BLOCKS_PAGE = Statement(
    text(
        """select row_to_json(b)::text from block b
        where lifted_at is null and expires_at > clock_timestamp()
            and (cast(:kind as text) is null or kind = cast(:kind as text))
            and (cast(:after as uuid) is null or id < cast(:after as uuid))
        order by id desc limit 201"""
    )
)
