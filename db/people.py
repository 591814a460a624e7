"""People and what they are granted: the tables, and the statements that load a principal."""

from __future__ import annotations

from sqlalchemy import insert, select, text

from db.context import acting, happens
from db.metadata import ID, as_json, given, table
from db.statement import Connection, Statement

people = table(
    "person",
    ids="id merged_into",
    texts="name locale time_zone",
    arrays="notifications",
    booleans="is_active",
    times="created_at erased_at",
    bigints="version",
)
grants = table("role_grant", ids="id person_id", texts="role scope", times="expires_at", bigints="version")

# primary key; role_grant_once; session_pk. The person with the live grants as JSON, and which of the asked sessions are
# the person's, as JSON: id -> whether it is live, and the kitchen at whose tablet it was opened; no row: unknown or
# disabled.
AUTHORITY = Statement(
    text(
        """select p.name,
            coalesce((select json_agg(json_build_object(
                    'id', g.id, 'role', g.role, 'scope', g.scope, 'expires_at', g.expires_at))
                from role_grant g where g.person_id = p.id
                    and (g.expires_at is null or g.expires_at > clock_timestamp())), '[]')::text as grants,
            coalesce((select json_object_agg(s.id, json_build_object(
                    'is_live', s.state = 'live' and s.expires_at > clock_timestamp(),
                    'kitchen_id', k.id, 'region', k.region))
                from session s left join device_session o on o.session_id = s.id
                    left join device d on d.id = o.device_id left join kitchen k on k.id = d.kitchen_id
                where s.id = any(cast(:session_ids as uuid[])) and s.person_id = p.id), '{}')::text as sessions
        from person p where p.id = cast(:person_id as uuid) and p.is_active"""
    )
)
PERSON_ROW = Statement(select(as_json(people)).where(people.c.id == given("person_id", ID)))
ADD_PERSON = Statement(
    insert(people)
    .from_select(["name", "locale"], select(given("name"), given("locale")).where(happens(acting())))
    .returning(people.c.id)
)
ADD_GRANT = Statement(
    insert(grants)
    .from_select(
        ["person_id", "role", "scope"],
        select(given("person_id", ID), given("role"), given("scope")).where(happens(acting())),
    )
    .returning(grants.c.id)
)


async def enrol(connection: Connection, *, name: str, locale: str, role: str, scope: str, context: str) -> str:
    """Add a person with one grant; the person's id. Raises asyncpg's `CheckViolationError` for what is no scope."""
    async with connection.transaction():
        person_id = str(await ADD_PERSON.value(connection, name=name, locale=locale, context=context))
        await ADD_GRANT.value(connection, person_id=person_id, role=role, scope=scope, context=context)
    return person_id
