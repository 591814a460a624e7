"""Which scopes there are, and which role can have which."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from hub.domain.errors import Unprocessable
from hub.domain.roles import EVERYWHERE, OWN, OWN_ROLES, Role
from hub.domain.topics import REGION

RegionName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,31}\Z")]
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class InRegion(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The query of a list that may be narrowed to one region."""

    region: RegionName | None = None


def check_scope(role: Role, scope: str, *, path: str = "$.scope") -> None:
    """Refuse a scope that is none, or that this role cannot have. Raises `Unprocessable`."""
    word, _, key = scope.partition(":")
    is_kitchen = word == "kitchen" and UUID_TEXT.fullmatch(key) is not None
    is_region = word == "region" and REGION.match(key) is not None
    if not (scope in (EVERYWHERE, OWN) or is_kitchen or is_region):
        raise Unprocessable("a scope is *, own, region:<name> or kitchen:<id>", code="role.scope", path=path)
    if (scope == OWN) != (role in OWN_ROLES):
        raise Unprocessable(f"a {role} cannot have the scope {scope}", code="role.scope", path=path)
