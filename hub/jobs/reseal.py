"""After a rotation of the data key: phones and addresses are sealed anew under the present one, a batch at a time.

The old key may leave the ring when nothing remains under it; until then both open, and lookups try both.
"""

from __future__ import annotations

from collections import Counter

from db import resealing
from db.connection import Database
from db.encryption import DataKeys, blind_index, seal, unseal
from db.statement import Connection, Record
from hub.jobs.runner import Job
from hub.observability import logs

LOG = logs.get(__name__)
EVERY_SECONDS = 60.0
PHONE = "phone"


async def reseal(database: Database, keys: DataKeys) -> int:
    """Seal one batch of contacts, addresses and blocks anew; how many rows. Progress is logged while there is some."""
    async with database.connection() as connection:
        contacts = await resealing.CONTACTS.rows(connection, key_id=keys.current_id)
        for row in contacts:
            await _contact(connection, keys, row)
        addresses = await resealing.ADDRESSES.rows(connection, key_id=keys.current_id)
        for row in addresses:
            await _address(connection, keys, row)
        blocks = await resealing.BLOCKS.rows(connection, key_id=keys.current_id)
        for row in blocks:
            await _block(connection, keys, row)
        done = len(contacts) + len(addresses) + len(blocks)
        if done:
            LOG.info("sealed anew", **await remaining(connection, keys))
    return done


async def remaining(connection: Connection, keys: DataKeys) -> dict[str, int]:
    """How many rows are still under an older key, by what they are; only what is not zero."""
    left: Counter[str] = Counter()
    for row in await resealing.UNDER.rows(connection):
        if row["key_id"] != keys.current_id.hex():
            left[row["what"]] += row["rows"]
    return dict(left)


def job(keys: DataKeys) -> Job:
    """The job for a ring of data keys."""

    async def work(database: Database) -> int:
        return await reseal(database, keys)

    return Job(name="reseal", work=work, every_seconds=EVERY_SECONDS, full_batch=1)


async def _contact(connection: Connection, keys: DataKeys, row: Record) -> None:
    place = {"table": "contact", "column": "phone", "row_id": row["row_id"]}
    phone = unseal(keys, row["phone"], **place)
    await resealing.RESEAL_CONTACT.run(
        connection,
        row_id=row["row_id"],
        old=row["phone"],
        old_index=row["phone_index"],
        sealed=seal(keys, phone, **place),
        sealed_index=blind_index(keys, phone, purpose=PHONE),
    )


async def _block(connection: Connection, keys: DataKeys, row: Record) -> None:
    place = {"table": "block_phone", "column": "phone", "row_id": row["row_id"]}
    phone = unseal(keys, row["phone"], **place)
    await resealing.RESEAL_BLOCK.run(
        connection,
        row_id=row["row_id"],
        old=row["phone"],
        sealed=seal(keys, phone, **place),
        sealed_index=blind_index(keys, phone, purpose=PHONE),
    )


async def _address(connection: Connection, keys: DataKeys, row: Record) -> None:
    sealed = {}
    for column in ("line", "notes"):
        place = {"table": "address", "column": column, "row_id": row["row_id"]}
        sealed[column] = seal(keys, unseal(keys, row[column], **place), **place)
    await resealing.RESEAL_ADDRESS.run(
        connection, row_id=row["row_id"], old_line=row["line"], old_notes=row["notes"], **sealed
    )
