"""Fills an empty database with a described city; the rows come from whoever describes one (`hub.demo.city`).

Only for the demo, replay and tests: every row goes through the same triggers as any other write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text

from db.statement import Connection, Statement

# Parents first.
TABLES = ("kitchen", "brand", "station", "item", "person", "role_grant", "rider")

SET_CLOCK = Statement(
    text(
        """update product_clock set product_origin = coalesce(cast(:product_at as timestamptz), product_now()),
            real_origin = clock_timestamp(), rate = cast(:rate as float8)"""
    )
)


async def seed_city(connection: Connection, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    """Insert the rows of each table of `TABLES`; rows whose id is there already are left alone. The number inserted.

    Columns that a row does not name keep their defaults. Raises `KeyError` for a table that is not in `TABLES`.
    """
    unknown = rows.keys() - set(TABLES)
    if unknown:
        raise KeyError(f"not a table of a city: {sorted(unknown)}")
    inserted = 0
    for name in TABLES:
        wanted = rows.get(name, ())
        if not wanted:
            continue
        columns = ", ".join(wanted[0])
        await connection.execute("select set_config('hotpass.context', $1, false)", json.dumps({"actor": "seed"}))
        tag = await connection.execute(
            f"insert into {name} ({columns}) select {columns} from json_populate_recordset(null::{name}, $1::json) "
            "on conflict do nothing",
            json.dumps([dict(row) for row in wanted], default=str),
        )
        inserted += int(tag.rsplit(" ", 1)[-1])
    await connection.execute("select set_config('hotpass.context', '', false)")
    return inserted


async def set_clock(connection: Connection, *, rate: float, product_at: Any = None) -> None:
    """Let the product clock run at `rate` from `product_at` on, or from where it stands; 1 but in demo and replay."""
    await SET_CLOCK.run(connection, rate=rate, product_at=product_at)
