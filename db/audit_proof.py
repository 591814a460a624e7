"""Whether the audit is what the house wrote: every row, every link, every anchor, in one snapshot.

Found are a changed, deleted, exchanged or slipped-in row, a link out of its place, an anchor that does not fit, a row
that claims to be older than it is, and, with an anchor that was written down elsewhere, a chain that was cut short.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from db.audit import PAGE, ROW_HASH, START, Anchor, anchor_mac, link_hash
from db.statement import Connection, Record, Statement

MOST_SHOWN = 5
# A row says when it was written; the chain, when it was committed. No transaction of the house is open for so long.
LONGEST_TRANSACTION = "1 hour"

# audit_link_pk, audit_event_pk
LINKS = Statement(
    text(
        f"""select l.number, l.audit_id, l.row_hash, l.hash, a.id is not null as is_there,
            case when a.id is not null then {ROW_HASH} end as true_hash
        from audit_link l left join audit_event a on a.id = l.audit_id
        where l.number > cast(:after as bigint) order by l.number limit cast(:most as integer)"""
    )
)
ANCHORS = Statement(text("select number, hash, snapshot, mac from audit_anchor order by number"))
SMUGGLED = Statement(
    text(
        f"""select a.id from audit_event a left join audit_link l on l.audit_id = a.id
        where l.audit_id is null and pg_visible_in_snapshot(a.xid, cast(:snapshot as text)::pg_snapshot)
        order by a.id limit {MOST_SHOWN}"""
    )
)
# A row that claims to be older than the anchor before its link by more than a transaction can last.
BACKDATED = Statement(
    text(
        f"""select a.id from audit_anchor before join lateral (
                select min(number) as number from audit_anchor where number > before.number) following on true
            join audit_link l on l.number > before.number and l.number <= following.number
            join audit_event a on a.id = l.audit_id
        where a.at < before.at - interval '{LONGEST_TRANSACTION}' order by a.id limit {MOST_SHOWN}"""
    )
)
EMPTIED = Statement(
    text(
        f"""select a.id from audit_event a left join audit_erasure e on e.audit_id = a.id
        where (a.row_hash is not null) <> (e.audit_id is not null) order by a.id limit {MOST_SHOWN}"""
    )
)
WAITING = Statement(
    text("select count(*) from audit_event a where not exists (select from audit_link l where l.audit_id = a.id)")
)


@dataclass(slots=True)
class Walk:
    """What was seen on the way along the chain: the hashes at the places that are asked for, and what is broken."""

    wanted: frozenset[int]
    hashes: dict[int, bytes] = field(default_factory=lambda: {0: START})
    last: int = 0
    broken: list[str] = field(default_factory=list)

    def step(self, row: Record, before: bytes) -> None:
        """Check one link against its row and against the one before."""
        number, audit_id = row["number"], row["audit_id"]
        if number != self.last + 1:
            self.broken.append(f"link {self.last + 1} is missing")
        if not row["is_there"]:
            self.broken.append(f"row {audit_id} of link {number} was deleted")
        elif row["true_hash"] != row["row_hash"]:
            self.broken.append(f"row {audit_id} of link {number} was changed")
        if link_hash(before, number, audit_id, row["row_hash"]) != row["hash"]:
            self.broken.append(f"link {number} does not follow from the one before")
        if number in self.wanted:
            self.hashes[number] = row["hash"]
        self.last = number


async def broken_places(connection: Connection, *, keys: Sequence[bytes], known: Anchor | None = None) -> list[str]:
    """Up to five places where the audit was tampered with; none is the only good answer.

    `keys` check the signature of the newest anchor (none: unchecked); `known` is one that was written down elsewhere.
    """
    anchors = {row["number"]: row for row in await ANCHORS.rows(connection)}
    walk = Walk(wanted=frozenset(anchors) | ({known.number} if known else set()))
    before = START
    async for row in _links(connection):
        walk.step(row, before)
        before = row["hash"]
        if len(walk.broken) >= MOST_SHOWN:
            return walk.broken[:MOST_SHOWN]
    broken = [*walk.broken, *_broken_anchors(anchors, walk, keys), *_forgotten(known, walk)]
    broken += [f"row {row['id']} was emptied without a record" for row in await EMPTIED.rows(connection)]
    if anchors:
        newest = anchors[max(anchors)]["snapshot"]
        smuggled = await SMUGGLED.rows(connection, snapshot=newest)
        broken += [f"row {row['id']} was slipped in behind the chain" for row in smuggled]
        broken += [f"row {row['id']} claims to be older than it is" for row in await BACKDATED.rows(connection)]
    return broken[:MOST_SHOWN]


async def waiting_rows(connection: Connection) -> int:
    """How many committed rows are not yet chained: the tail that no chain protects yet."""
    return int(await WAITING.value(connection))


def _broken_anchors(anchors: Mapping[int, Record], walk: Walk, keys: Sequence[bytes]) -> list[str]:
    """The newest anchor must be signed by a key of the house; it vouches for those before, whose keys may have gone."""
    broken = []
    newest = max(anchors, default=0)
    for number, anchor in anchors.items():
        is_signed = (
            not keys
            or number < newest
            or any(
                hmac.compare_digest(anchor["mac"], anchor_mac(key, number, anchor["hash"], anchor["snapshot"]))
                for key in keys
            )
        )
        if walk.hashes.get(number) != anchor["hash"] or not is_signed:
            broken.append(f"anchor {number} does not fit the chain")
    if newest != walk.last:
        broken.append(f"the chain ends at link {walk.last}, not at its anchor {newest}")
    return broken


def _forgotten(known: Anchor | None, walk: Walk) -> list[str]:
    if known is None or walk.hashes.get(known.number) == known.hash:
        return []
    return [f"the chain no longer holds the anchor {known.number} that was written down"]


async def _links(connection: Connection) -> AsyncIterator[Record]:
    after = 0
    while rows := await LINKS.rows(connection, after=after, most=PAGE):
        for row in rows:
            yield row
        after = rows[-1]["number"]
