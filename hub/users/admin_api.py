"""The HTTP routes of the administration: people, roles, blocks, and who looked at whose data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from hub.domain.block import BlockEffect, BlockKind
from hub.domain.roles import Permission, Role
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.shapes import NEXT, Row
from hub.users import audit, blocks, people, roles
from hub.users.answers import AUDIT, COUNT, LOOK, REVEALED, USER
from hub.users.api import Locale, Name
from hub.users.filters import AuditFilter, BlockFilter, EventFilter, GrantFilter, LookFilter, PersonFilter

ENDPOINTS = Endpoints("users")
Why = Annotated[str, msgspec.Meta(min_length=3, max_length=300, pattern=r"\S\s*\S")]
PersonId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
P = Permission


class NewPerson(msgspec.Struct, forbid_unknown_fields=True):
    """A person to add; roles are granted apart."""

    name: Name
    locale: Locale = "en"
    phone: str | None = None


class Activity(msgspec.Struct, forbid_unknown_fields=True):
    """Let a person in, or keep them out."""

    is_active: bool
    reason: Why


class Explained(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Why


class Merge(msgspec.Struct, forbid_unknown_fields=True):
    """The person who remains."""

    into_id: PersonId
    reason: Why


class NewGrant(msgspec.Struct, forbid_unknown_fields=True):
    """A role for a person, within a scope, perhaps until an end."""

    person_id: PersonId
    role: Role
    scope: Annotated[str, msgspec.Meta(max_length=64)]
    expires_at: datetime | None = None


class NewBlock(msgspec.Struct, forbid_unknown_fields=True):
    """`value` is a person's id, a phone, `lat,lon`, or for a pair `rider id,customer id`."""

    kind: BlockKind
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    effect: BlockEffect
    reason: Why
    expires_at: datetime


@ENDPOINTS.route(
    "GET",
    "/users",
    summary="List people",
    permission=P.USER_READ,
    query=PersonFilter,
    answer={"users": [USER | {"has_phone": bool, "roles": [str]}], "next": NEXT},
)
async def list_people(call: Call) -> Any:
    """`{users, next}`; `?phone=` finds one by number."""
    return await people.list_people(call)


@ENDPOINTS.route(
    "POST", "/users", summary="Add a person", permission=P.USER_EDIT, body=NewPerson, status=201, answer={"user": USER}
)
async def add_person(call: Call) -> Any:
    """201 `{user}`."""
    return {"user": await people.add_person(call, **msgspec.structs.asdict(call.body))}


@ENDPOINTS.route(
    "GET",
    "/users/<person_id:uuid>",
    summary="Read a person",
    permission=P.USER_READ,
    answer={"user": USER | {"has_phone": bool}, "grants": [Row("grant")]},
)
async def read_person(call: Call) -> Any:
    """`{user, grants}`; neither phone nor address."""
    return await people.read_person(call)


@ENDPOINTS.route(
    "PATCH",
    "/users/<person_id:uuid>",
    summary="Disable or enable a person",
    permission=P.USER_EDIT,
    body=Activity,
    answer={"user": USER},
)
async def set_active(call: Call) -> Any:
    """`{user}`; disabling ends every session."""
    return {"user": await people.set_active(call, is_active=call.body.is_active, reason=call.body.reason)}


@ENDPOINTS.route(
    "POST",
    "/users/<person_id:uuid>/reveal",
    summary="Read a person's phone and addresses",
    permission=P.USER_READ,
    body=Explained,
    is_keyed=False,
    answer={"phone": str | None, "addresses": [REVEALED]},
)
async def reveal(call: Call) -> Any:
    """`{phone, addresses}`; the look is recorded."""
    return await people.reveal(call, call.body.reason)


@ENDPOINTS.route(
    "POST",
    "/users/<person_id:uuid>/merge",
    summary="Merge a person into another",
    permission=P.USER_EDIT,
    body=Merge,
    is_keyed=False,
    answer={"user": USER},
)
async def merge(call: Call) -> Any:
    """`{user}`: the one who is gone."""
    return {"user": await people.merge(call, into_id=call.body.into_id, reason=call.body.reason)}


@ENDPOINTS.route(
    "POST",
    "/users/<person_id:uuid>/erase",
    summary="Erase a person",
    permission=P.USER_EDIT,
    body=Explained,
    is_keyed=False,
    answer={"user": USER},
)
async def erase(call: Call) -> Any:
    """`{user}`: what is left; amounts stay."""
    return {"user": await people.erase(call, reason=call.body.reason)}


@ENDPOINTS.route(
    "GET",
    "/audit",
    summary="Read the audit",
    permission=P.AUDIT_READ,
    query=AuditFilter,
    answer={"audit": [AUDIT], "next": NEXT},
)
async def list_audit(call: Call) -> Any:
    """`{audit, next}`, newest first."""
    return await audit.list_audit(call)


@ENDPOINTS.route(
    "GET",
    "/security",
    summary="List security events",
    permission=P.SECURITY_READ,
    query=EventFilter,
    answer={"events": [Row("security")], "next": NEXT, "last_hour": [COUNT]},
)
async def list_events(call: Call) -> Any:
    """`{events, next, last_hour}`, newest first; live in the topic `administration`."""
    return await people.list_events(call)


@ENDPOINTS.route(
    "GET",
    "/security/looks",
    summary="Who looked at whose data",
    permission=P.SECURITY_READ,
    query=LookFilter,
    answer={"looks": [LOOK]},
)
async def list_looks(call: Call) -> Any:
    """`{looks}`, newest first."""
    return await people.list_looks(call)


@ENDPOINTS.route(
    "GET",
    "/roles",
    summary="List grants",
    permission=P.ROLE_GRANT,
    query=GrantFilter,
    answer={"grants": [Row("grant")], "next": NEXT},
)
async def list_grants(call: Call) -> Any:
    """`{grants, next}`."""
    return await roles.list_grants(call)


@ENDPOINTS.route("GET", "/roles/table", summary="Which role may do what", answer={"roles": dict[str, list[str]]})
async def read_table(call: Call) -> Any:
    """`{roles: {role: [permission]}}`."""
    return {"roles": roles.role_table()}


@ENDPOINTS.route(
    "POST",
    "/roles",
    summary="Grant a role",
    permission=P.ROLE_GRANT,
    body=NewGrant,
    status=201,
    answer={"grant": Row("grant")},
)
async def grant(call: Call) -> Any:
    """201 `{grant}`."""
    return {"grant": await roles.grant(call, **msgspec.structs.asdict(call.body))}


@ENDPOINTS.route(
    "DELETE", "/roles/<grant_id:uuid>", summary="Take a role", permission=P.ROLE_GRANT, answer={"grant": Row("grant")}
)
async def take(call: Call) -> Any:
    """`{grant}`, taken."""
    return {"grant": await roles.take(call)}


@ENDPOINTS.route(
    "GET",
    "/blocks",
    summary="List blocks",
    permission=P.BLOCK_EDIT,
    query=BlockFilter,
    answer={"blocks": [Row("block")], "next": NEXT},
)
async def list_blocks(call: Call) -> Any:
    """`{blocks, next}`."""
    return await blocks.list_blocks(call)


@ENDPOINTS.route(
    "POST",
    "/blocks",
    summary="Block",
    permission=P.BLOCK_EDIT,
    body=NewBlock,
    status=201,
    answer={"block": Row("block")},
)
async def add_block(call: Call) -> Any:
    """201 `{block}`."""
    return {"block": await blocks.add(call, **msgspec.structs.asdict(call.body))}


@ENDPOINTS.route(
    "POST",
    "/blocks/<block_id:uuid>/lift",
    summary="Lift a block",
    permission=P.BLOCK_EDIT,
    body=Explained,
    is_keyed=False,
    answer={"block": Row("block")},
)
async def lift(call: Call) -> Any:
    """`{block}`, ended."""
    return {"block": await blocks.lift(call, reason=call.body.reason)}
