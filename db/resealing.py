"""Bringing private columns under the present data key, batch by batch, while the house is running.

A row is rewritten only when it still holds what was read, so a change in between wins. The blind index of a phone and
the blocks that name it move in the same statement.
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
# Whole tables: some milliseconds for ten thousand rows. A password comes under the present key at its next right use.
REMAINING = Statement(
    text(
        f"""select (select count(*) from contact where {OTHER_KEY.format("phone")}) as contacts,
            (select count(*) from address where {OTHER_KEY.format("line")} or {OTHER_KEY.format("notes")}) as addresses,
            (select count(*) from password
                where split_part(hash, ':', 1) <> encode(cast(:key_id as bytea), 'hex')) as passwords"""
    )
)
UPGRADE_PASSWORD = Statement(
    text(
        """update password set hash = cast(:hash as text)
        where person_id = cast(:person_id as uuid) and hash = cast(:old as text)"""
    )
)
