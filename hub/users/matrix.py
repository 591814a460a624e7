"""The table of roles and the routes as a page to read, made from what the house enforces: `hotpass users roles`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hub.domain.roles import EVERYWHERE_ONLY, OWN_ONLY, OWN_ROLES, PERMISSIONS, Permission, Role
from hub.gateway.endpoint import Route

INTRODUCTION = """# Who may do what

Made by `hotpass users roles`; a test holds this page to the code. What is not in the table is refused.

A grant gives a role within a scope: `*` everywhere, `region:<name>`, `kitchen:<id>`, or `own` (one's own objects). A
permission holds for an object when one of the person's grants has a role with that permission and a scope that covers
the object. An object outside answers exactly like one that does not exist. People, keys, blocks, the audit and security
events belong to no kitchen: what is marked `everywhere` takes a grant with the scope `*`. What is marked `own` reaches
one's own objects alone, whatever the scope.
"""


def page(routes: Sequence[Route]) -> str:
    """The whole page in Markdown."""
    lines = [INTRODUCTION, "## Roles and permissions", "", *_permissions(), "", "## Routes", "", *_routes(routes)]
    return "\n".join(lines) + "\n"


def _permissions() -> Iterator[str]:
    yield "| permission | " + " | ".join(Role) + " |"
    yield "|---|" + "---|" * len(Role)
    for permission in Permission:
        marks = (_mark(permission, role) for role in Role)
        held = (mark if permission in PERMISSIONS[role] else "" for role, mark in zip(Role, marks, strict=True))
        yield f"| `{permission}` | " + " | ".join(held) + " |"


def _mark(permission: Permission, role: Role) -> str:
    if role in OWN_ROLES or permission in OWN_ONLY:
        return "own"
    return "everywhere" if permission in EVERYWHERE_ONLY else "yes"


def _routes(routes: Sequence[Route]) -> Iterator[str]:
    yield "| route | takes | rate class | key |"
    yield "|---|---|---|---|"
    for route in sorted(routes, key=lambda route: (route.path, route.method)):
        path = re.sub(r"<(\w+):uuid>", r"{\1}", route.path)
        takes = "anybody" if route.is_public else f"`{route.permission}`" if route.permission else "somebody signed in"
        is_keyed = route.is_keyed and not route.is_public
        yield f"| {route.method} `{path}` | {takes} | {route.rate_class} | {'yes' if is_keyed else ''} |"
