"""Bringing private columns under the present data key, batch by batch, while the house is running.

A row is rewritten only when it still holds what was read, so a change in between wins. The blind index of a phone and
the blocks that name it move in the same statement; a block by phone whose number has no account moves by its own copy.
"""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

BATCH = 200
# the key's id stands behind the one byte of the format
OTHER_KEY = "substring({} from 2 for 4) <> cast(:key_id as bytea)"

CONTACTS = Statement(
    text(
        f"""select person_id::text as row_id, phone, phone_index from contact
        where {OTHER_KEY.format("phone")} order by person_id limit {BATCH}"""
    )
)
RESEAL_CONTACT = Statement(
    text(
        """with moved as (
            update contact set phone = cast(:sealed as bytea), phone_index = cast(:sealed_index as bytea)
            where person_id = cast(:row_id as uuid) and phone = cast(:old as bytea) returning person_id
        )
        update block set subject = encode(cast(:sealed_index as bytea), 'hex') from moved
        where block.kind = 'phone' and block.lifted_at is null
            and block.subject = encode(cast(:old_index as bytea), 'hex')"""
    )
)
ADDRESSES = Statement(
    text(
        f"""select id::text as row_id, line, notes from address
        where {OTHER_KEY.format("line")} or {OTHER_KEY.format("notes")} order by id limit {BATCH}"""
    )
)
RESEAL_ADDRESS = Statement(
    text(
        """update address set line = cast(:line as bytea), notes = cast(:notes as bytea)
        where id = cast(:row_id as uuid) and line = cast(:old_line as bytea) and notes = cast(:old_notes as bytea)"""
    )
)
BLOCKS = Statement(
    text(
        f"""select block_id::text as row_id, phone from block_phone
        where {OTHER_KEY.format("phone")} order by block_id limit {BATCH}"""
    )
)
RESEAL_BLOCK = Statement(
    text(
        """with moved as (
            update block_phone set phone = cast(:sealed as bytea)
            where block_id = cast(:row_id as uuid) and phone = cast(:old as bytea) returning block_id
        )
        update block set subject = encode(cast(:sealed_index as bytea), 'hex') from moved
        where block.id = moved.block_id and block.lifted_at is null"""
    )
)
# Whole tables: some milliseconds for ten thousand rows. What needs a data key, by the id of the key in hex, null where
# it is older than that note. Passwords and PINs come under the present key at their next right use.
UNDER = Statement(
    text(
        """select key_id, what, count(*) as rows from (
            select encode(substring(phone from 2 for 4), 'hex') as key_id, 'contacts' as what from contact
            union all select encode(substring(line from 2 for 4), 'hex'), 'addresses' from address
            union all select encode(substring(notes from 2 for 4), 'hex'), 'addresses' from address
                where substring(notes from 2 for 4) <> substring(line from 2 for 4)
            union all select encode(substring(phone from 2 for 4), 'hex'), 'blocks' from block_phone
            union all select null, 'blocks' from block b
                where kind = 'phone' and lifted_at is null and expires_at > clock_timestamp()
                    and not exists (select from block_phone p where p.block_id = b.id)
                    and not exists (select from contact c where encode(c.phone_index, 'hex') = b.subject)
            union all select split_part(hash, ':', 1), 'passwords' from password
            union all select encode(key_id, 'hex'), 'pins' from pin
        ) as found group by key_id, what order by key_id, what"""
    )
)
UPGRADE_PASSWORD = Statement(
    text(
        """update password set hash = cast(:hash as text)
        where person_id = cast(:person_id as uuid) and hash = cast(:old as text)"""
    )
)
