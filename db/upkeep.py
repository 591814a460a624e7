"""What time does to the data: archiving, forgetting, and the days of the change log."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Connection, Statement

# An order leaves its boards half an hour after its end, with its lines and its delivery. Index orders_to_archive.
ARCHIVE = Statement(
    text(
        """
        with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting),
        old as (
            select id from orders, acting
            where archived_at is null and ended_at < product_now() - interval '30 minutes' and setting is not null
            order by ended_at limit 200 for update of orders skip locked
        ),
        moved as (update orders o set archived_at = product_now() from old where o.id = old.id returning o.id),
        their_lines as (update order_line l set archived_at = product_now() from moved
            where l.order_id = moved.id and l.archived_at is null),
        their_deliveries as (update delivery d set archived_at = product_now() from moved
            where d.order_id = moved.id and d.archived_at is null)
        select id from moved
        """
    )
)
# Days that may go: all but the newest `keep` whole days before today.
OLD_DAYS = Statement(
    text(
        """select substring(c.relname from '\\d{8}$') as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'change_log'::regclass
            and substring(c.relname from '\\d{8}$')::date
                < (clock_timestamp() at time zone 'utc')::date - cast(:keep as integer)
        order by 1"""
    )
)


async def drop_day(connection: Connection, day: str) -> None:
    """Drop one day (YYYYMMDD) of the change log, in one transaction; what its topics had reached is kept aside."""
    if not (len(day) == 8 and day.isdigit()):
        raise ValueError(f"not a day: {day!r}")
    async with connection.transaction():
        await connection.execute("set local lock_timeout = '2s'")
        await connection.execute(
            f"insert into topic_head (topic, head) select topic, max(topic_offset) from topic_log_{day} group by topic "
            "on conflict (topic) do update set head = greatest(topic_head.head, excluded.head)"
        )
        await connection.execute(f"drop table topic_log_{day}")
        await connection.execute(f"drop table change_log_{day}")
