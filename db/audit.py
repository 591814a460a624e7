"""The chain over the audit: written after commit by one leader, checked by `db.audit_proof`.

    link n    row hash = SHA-256 of the audit row        hash = SHA-256(hash of n-1 | n | audit id | row hash)
    anchor    where the chain stood, the snapshot it had read, and an HMAC over both with a key outside the database

Invariant: a row is chained once, when it is visible, in whatever order transactions committed: the next batch reads
what the last anchor's snapshot could not see. A row that this snapshot could see and that has no link was smuggled in.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import text

from db.encryption import derive
from db.statement import Connection, Statement

START = bytes(32)
PAGE = 5000
ROW_HASH = """sha256(convert_to(json_build_array(a.id, extract(epoch from a.at)::text, a.entity, a.entity_id, a.version,
    a.event, a.actor, a.reason, a.request_id,
    encode(coalesce(a.row_hash, sha256(convert_to(a.row, 'UTF8'))), 'hex'))::text, 'UTF8'))"""

# audit_anchor_pk backwards
HEAD = Statement(text("select number, hash, snapshot from audit_anchor order by number desc limit 1"))
# audit_event_xid
UNCHAINED = Statement(
    text(
        f"""select a.id, {ROW_HASH} as row_hash, pg_current_snapshot()::text as snapshot from audit_event a
        where (cast(:snapshot as text) is null
                or a.xid >= pg_snapshot_xmax(cast(:snapshot as text)::pg_snapshot)
                or a.xid = any(array(select pg_snapshot_xip(cast(:snapshot as text)::pg_snapshot))))
            and not exists (select from audit_link l where l.audit_id = a.id)
        order by a.id limit cast(:most as integer)"""
    )
)
ADD_LINKS = Statement(
    text(
        """insert into audit_link (number, audit_id, row_hash, hash)
        select * from unnest(cast(:numbers as bigint[]), cast(:audit_ids as bigint[]),
            cast(:row_hashes as bytea[]), cast(:hashes as bytea[]))"""
    )
)
ADD_ANCHOR = Statement(
    text(
        """insert into audit_anchor (number, hash, snapshot, mac)
        values (cast(:number as bigint), cast(:hash as bytea), cast(:snapshot as text), cast(:mac as bytea))"""
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Where the chain stands: what to write down elsewhere, and to compare later."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def read(cls, text: str) -> Anchor:
        """The anchor that `str()` wrote. Raises `ValueError`."""
        number, _, head = text.partition(":")
        return cls(number=int(number), hash=bytes.fromhex(head))


def anchor_key(secret: str) -> bytes:
    """The key that signs anchors, out of the secret of the house."""
    return derive(secret.encode(), "audit anchor")


def link_hash(before: bytes, number: int, audit_id: int, row_hash: bytes) -> bytes:
    """The hash of a link."""
    return sha256(before + number.to_bytes(8, "big") + audit_id.to_bytes(8, "big") + row_hash).digest()


async def chain_on(connection: Connection, key: bytes) -> tuple[int, Anchor]:
    """Chain up to 5,000 committed rows that are not yet chained: how many, and where the chain stands now.

    One leader at a time; a second one would run into `audit_link_pk` and change nothing.
    """
    async with connection.transaction(isolation="repeatable_read"):
        head = await HEAD.row(connection)
        number, before = (head["number"], head["hash"]) if head else (0, START)
        rows = await UNCHAINED.rows(connection, snapshot=head["snapshot"] if head else None, most=PAGE)
        if not rows:
            return 0, Anchor(number=number, hash=before)
        hashes = []
        for place, row in enumerate(rows, start=number + 1):
            before = link_hash(before, place, row["id"], row["row_hash"])
            hashes.append(before)
        last = number + len(rows)
        await ADD_LINKS.run(
            connection,
            numbers=list(range(number + 1, last + 1)),
            audit_ids=[row["id"] for row in rows],
            row_hashes=[row["row_hash"] for row in rows],
            hashes=hashes,
        )
        # A full page leaves visible rows behind: the next batch looks from the same snapshot again.
        is_whole = len(rows) < PAGE
        old = head["snapshot"] if head else "1:1:"
        snapshot = rows[0]["snapshot"] if is_whole else old
        mac = anchor_mac(key, last, before, snapshot)
        await ADD_ANCHOR.run(connection, number=last, hash=before, snapshot=snapshot, mac=mac)
    return len(rows), Anchor(number=last, hash=before)


def anchor_mac(key: bytes, number: int, head: bytes, snapshot: str) -> bytes:
    """What signs an anchor."""
    return hmac.new(key, f"{number}:{head.hex()}:{snapshot}".encode(), sha256).digest()
