"""Which topics a person's grants open: what a screen may subscribe to, told by `GET /v1/me`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.domain.roles import EVERYWHERE, OWN, PERMISSIONS, Grant, Permission, Principal, Role


def topics_of(principal: Principal, regions: Sequence[str]) -> list[str]:
    """The topics, sorted, each once. `regions` are all there are: a grant everywhere opens each of them."""
    found = {f"user:{principal.person_id}"}
    for grant in principal.grants:
        found.update(_topics_of_grant(grant, principal.person_id, regions))
    return sorted(found)


def _topics_of_grant(grant: Grant, person_id: str, regions: Sequence[str]) -> Iterable[str]:
    allowed = PERMISSIONS[grant.role]
    if grant.scope == OWN:
        if grant.role in (Role.CUSTOMER, Role.RIDER):
            yield f"{grant.role}:{person_id}"
    elif grant.scope == EVERYWHERE:
        if Permission.RIDER_READ in allowed:
            yield from (f"operations:{region}" for region in regions)
        if Permission.SECURITY_READ in allowed:
            yield "administration"
    elif grant.scope.startswith("kitchen:") and Permission.KITCHEN_READ in allowed:
        yield grant.scope
    elif grant.scope.startswith("region:") and Permission.RIDER_READ in allowed:
        yield "operations:" + grant.scope.removeprefix("region:")
