"""What the lists of the administration can be narrowed to."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from hub.domain.block import BlockKind
from hub.domain.roles import Role
from hub.domain.security import SecurityKind, Severity
from hub.gateway.paging import USUAL, Limit, Page

Word = Annotated[str, Meta(max_length=100)]


class PersonFilter(Page, frozen=True):
    """Which people; a phone finds one."""

    phone: Annotated[str, Meta(max_length=32)] | None = None


class GrantFilter(Page, frozen=True):
    """Which grants."""

    person_id: UUID | None = None
    role: Role | None = None


class BlockFilter(Page, frozen=True):
    """Which blocks."""

    kind: BlockKind | None = None


class EventFilter(Page, frozen=True):
    """Which security events."""

    kind: SecurityKind | None = None
    severity: Severity | None = None


class LookFilter(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whose looks, or at whom."""

    subject_id: UUID | None = None
    actor_id: UUID | None = None


class AuditFilter(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which rows of the audit, before the one with the id `after`: it reads newest first."""

    entity: Word | None = None
    entity_id: Word | None = None
    actor: Word | None = None
    after: Annotated[int, Meta(ge=0, le=10**18)] | None = None
    limit: Limit = USUAL
