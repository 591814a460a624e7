"""What must hold over a whole database, recomputed from its rows alone: `hotpass verify`.

Each statement returns the broken places, worst first, at most `MOST_SHOWN`; none is the only good answer. Each reads
its tables whole, over the days that the log still holds: seconds at a million changes. They look at one snapshot, so
they hold also while the house is running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import text

from db import audit_proof
from db.audit import Anchor
from db.statement import Connection, Statement

MOST_SHOWN = 5
STATEMENT_SECONDS = 600.0
AUDIT_FACT = "every row of the audit is as it was chained, and every anchor is genuine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One fact; `broken` yields a text column `place` for each place where it does not hold."""

    name: str
    fact: str
    broken: Statement


def _broken(query: str) -> Statement:
    return Statement(text(f"select place::text from ({query}) as broken (place) limit {MOST_SHOWN}"))


INVARIANTS = (
    Invariant(
        name="places",
        fact="every place of the total order is taken exactly once",
        broken=_broken(
            """select 'after place ' || before
               from (select pos, lag(pos) over (order by pos) as before from change_log) as l
               where pos <> before + 1"""
        ),
    ),
    Invariant(
        name="offsets",
        fact="the offsets of every topic run without a hole",
        broken=_broken(
            """select l.topic || ' before offset ' || l.topic_offset from (select topic, topic_offset, lag(topic_offset)
                   over (partition by topic order by topic_offset) as before from topic_log) as l
               left join topic_head h using (topic)
               where l.topic_offset <> coalesce(l.before, h.head, 0) + 1"""
        ),
    ),
    Invariant(
        name="versions",
        fact="the versions of every row rise along the offsets of every topic",
        broken=_broken(
            """select topic || ' at offset ' || topic_offset from (select t.topic, t.topic_offset, a.version,
                   lag(a.version) over (partition by t.topic, a.entity, a.entity_id order by t.topic_offset) as before
                   from topic_log t join audit_event a on a.id = t.audit_id) as l
               where version <= before"""
        ),
    ),
    Invariant(
        name="topics",
        fact="the log of changes and the log of topics tell the same",
        broken=_broken(
            """with from_changes as (
                   select c.audit_id, u.topic, u.topic_offset, case u.op when 'put' then 'put' else 'out' end as op
                   from change c, unnest(c.topics, c.offsets, c.ops) as u (topic, topic_offset, op)),
                   from_topics as (
                   select t.audit_id, t.topic, t.topic_offset,
                       case when t.op = 'put' and a.row is not null then 'put' else 'out' end
                   from topic_log t left join audit_event a on a.id = t.audit_id)
               (select topic || ' at offset ' || topic_offset from (
                    select * from from_changes except select * from from_topics) as missing)
               union all
               (select topic || ' at offset ' || topic_offset from (
                    select * from from_topics except select * from from_changes) as extra)"""
        ),
    ),
    Invariant(
        name="changes",
        fact="every committed change has exactly one place, or still waits for it",
        # What is older than the log's first minute may have lost its place to retention.
        broken=_broken(
            """with placed as (select audit_id, count(*) as places from change_log group by 1),
                   kept as (select min(at) + case when exists (select from topic_head) then interval '1 minute'
                       else interval '0' end as since from change),
                   present as (select snapshot::pg_snapshot as seen
                       from sequencer_place order by number desc limit 1)
               select entity || ' ' || entity_id || ' version ' || version || ': places ' || coalesce(places, 0)
               from audit_event a left join placed on placed.audit_id = a.id
               where coalesce(places, 0) <> 1
                   and (places > 1 or a.at >= coalesce((select since from kept), '-infinity'))
                   and not (places is null and not pg_visible_in_snapshot(a.xid, (select seen from present)))"""
        ),
    ),
    Invariant(
        name="moves",
        fact="every change of a state in the audit is a legal move",
        broken=_broken(
            """select entity || ' ' || entity_id || ' version ' || version || ': ' || before || ' to ' || state
               from (
                   select entity, entity_id, version, state, lag(state) over (
                       partition by entity, entity_id order by version) as before
                   from (select entity, entity_id, version,
                             coalesce(row::json ->> 'status', row::json ->> 'state', row::json ->> 'shift') as state
                         from audit_event
                         where row is not null and entity in (select entity from legal_move)) as audited) as l
               where state <> before
                   and not exists (select from legal_move m
                       where (m.entity, m.source, m.target) = (l.entity, before, state))"""
        ),
    ),
)


async def verify(url: str, *, keys: Sequence[bytes] = (), anchor: Anchor | None = None) -> dict[str, dict[str, Any]]:
    """`broken_places` of the database at `url`. Raises one of `db.connection.DATABASE_AWAY`."""
    connection = await asyncpg.connect(
        url, server_settings={"application_name": "hotpass verify"}, command_timeout=STATEMENT_SECONDS
    )
    try:
        return await broken_places(connection, keys=keys, anchor=anchor)
    finally:
        await connection.close()


async def broken_places(
    connection: Connection, *, keys: Sequence[bytes] = (), anchor: Anchor | None = None
) -> dict[str, dict[str, Any]]:
    """Every invariant: its fact, whether it holds, and up to five places where it does not. One snapshot for all.

    `keys` check the signatures of the audit's anchors; `anchor` is one that was written down elsewhere.
    """
    found = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for invariant in INVARIANTS:
            places = [row["place"] for row in await invariant.broken.rows(connection)]
            found[invariant.name] = {"fact": invariant.fact, "holds": not places, "places": places}
        places = await audit_proof.broken_places(connection, keys=keys, known=anchor)
        waiting = await audit_proof.waiting_rows(connection)
        found["audit"] = {"fact": AUDIT_FACT, "holds": not places, "places": places, "not_yet_chained": waiting}
    return found
