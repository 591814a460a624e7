"""Security events: written as they happen, append-only, and each a change of the topic `administration`."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

RECORD = Statement(
    text(
        """with acting as (select set_config('hotpass.context', cast(:context as text), true) as setting)
        insert into security_event (kind, severity, person_id, ip, detail, request_id)
        select cast(:kind as text), cast(:severity as text), cast(:person_id as uuid), cast(:ip as text),
            cast(:detail as text), cast(:request_id as text)
        from acting where setting is not null returning id"""
    )
)
# security_event_pk backwards, or security_event_kind
EVENTS_PAGE = Statement(
    text(
        """select row_to_json(e)::text from security_event e
        where (cast(:kind as text) is null or kind = cast(:kind as text))
            and (cast(:severity as text) is null or severity = cast(:severity as text))
            and (cast(:after as uuid) is null or id < cast(:after as uuid))
        order by id desc limit 201"""
    )
)
# What happened in the last hour, by kind
COUNTS = Statement(
    text(
        """select kind, severity, count(*) as events from security_event
        where at > clock_timestamp() - interval '1 hour' group by 1, 2 order by 3 desc"""
    )
)
