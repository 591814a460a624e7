"""Rows cut to what the caller may see: the same views as the live topics."""

from __future__ import annotations

from typing import Any

from hub.domain.roles import EVERYWHERE, OWN, Principal
from hub.domain.topics import TopicKind
from hub.domain.views import VIEWS, cut

K = TopicKind
_PUBLIC = (K.MENU, K.ORDER)


def kinds_for(principal: Principal | None, row: dict[str, Any]) -> tuple[TopicKind, ...]:
    """The views that a principal has on a row, widest first."""
    if principal is None:
        return _PUBLIC
    scopes = {grant.scope for grant in principal.grants}
    kinds = []
    region = row.get("region")
    # A row without a region of its own came through a statement that has asked its order's or kitchen's.
    if EVERYWHERE in scopes or any(scope == f"region:{region or scope[7:]}" for scope in scopes):
        kinds += [K.OPERATIONS, K.KITCHEN, K.USER]
    if f"kitchen:{row.get('kitchen_id', row['id'])}" in scopes:
        kinds.append(K.KITCHEN)
    if OWN in scopes:
        is_rider = principal.person_id in (row.get("rider_id"), row["id"])
        kinds += [K.RIDER, K.ORDER] if is_rider else [K.ORDER, K.RIDER]
    return (*kinds, *_PUBLIC)


def seen_by(principal: Principal | None, entity: str, row: dict[str, Any]) -> dict[str, Any]:
    """`row` as this principal may see it. Raises `LookupError` when no view of the entity is open to it."""
    for kind in kinds_for(principal, row):
        if kind in VIEWS[entity]:
            return cut(entity, kind, row)
    raise LookupError(f"no view of {entity} is open to this principal")
