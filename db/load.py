"""Statements of the load that benchmarks put on the database: raw writes, as by somebody beside the product."""

from __future__ import annotations

# orders_pk; $1 the order's id, $2 a text. The triggers do the rest, as for any other write.
TOUCH_ORDER = "update orders set note = $2 where id = $1::text::uuid returning version"

# The same rows as somebody without a log would keep them: no audit, no outbox, each change tells its whole row.
ORDERS_CHANNEL = "orders_changed"
NOTIFYING_ORDERS = (
    "create schema peer",
    "create table peer.orders (like public.orders including defaults including indexes) with (fillfactor = 50)",
    "insert into peer.orders select * from public.orders",
    f"""create function peer.tell() returns trigger language plpgsql as $$
        begin perform pg_notify('{ORDERS_CHANNEL}', row_to_json(new)::text); return null; end $$""",
    "create trigger orders_tell after update on peer.orders for each row execute function peer.tell()",
)
# peer.orders' primary key; as TOUCH_ORDER.
TOUCH_NOTIFYING_ORDER = (
    "update peer.orders set note = $2, version = version + 1 where id = $1::text::uuid returning version"
)
# What earlier writes have left to do is done before the next ones are measured. Outside a transaction.
SETTLE = ("vacuum (analyze)", "checkpoint")
# A database in service writes its log into files that it has used before. A new one makes each of them first, 16 MB of
# zeros, and all commits wait: as many as a run takes are made beforehand.
SEASON = (*("select pg_logical_emit_message(false, 'season', '')", "select pg_switch_wal()") * 24, "checkpoint")
