"""The audit as administrators read it: pages of rows, newest first."""

from __future__ import annotations

from sqlalchemy import text

from db.statement import Statement

# audit_event_pk backwards; audit_event_entity where an entity's id is given
AUDIT_PAGE = Statement(
    text(
        """select a.id, a.at, a.entity, a.entity_id, a.version, a.event, a.actor, a.reason, a.request_id, a.row,
            l.number as link, encode(l.hash, 'hex') as hash
        from audit_event a left join audit_link l on l.audit_id = a.id
        where (cast(:before as bigint) is null or a.id < cast(:before as bigint))
            and (cast(:entity_id as text) is null or a.entity_id = cast(:entity_id as text))
            and (cast(:entity as text) is null or a.entity = cast(:entity as text))
            and (cast(:actor as text) is null or a.actor = cast(:actor as text))
        order by a.id desc limit cast(:most as integer)"""
    )
)
