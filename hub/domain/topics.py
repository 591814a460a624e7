"""The rooms of the live hub and how their names are read.

kitchen:<id> order:<id> rider:<id> customer:<id> operations:<region> administration menu:<kitchen> user:<id>
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class TopicKind(StrEnum):
    """The kinds of topic; the part before the colon."""

    KITCHEN = "kitchen"
    ORDER = "order"
    RIDER = "rider"
    CUSTOMER = "customer"
    OPERATIONS = "operations"
    ADMINISTRATION = "administration"
    MENU = "menu"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic taken apart. `key` is a UUID in canonical form, a region, or empty for `administration`."""

    kind: TopicKind
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}" if self.key else str(self.kind)


REGION = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
LONGEST_NAME = 64


def parse_topic(name: object) -> Topic | None:
    """The topic that `name` spells, or None: unknown kind, a key of the wrong form, or another spelling of a UUID."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return None
    word, colon, key = name.partition(":")
    try:
        kind = TopicKind(word)
    except ValueError:
        return None
    if kind is TopicKind.ADMINISTRATION:
        return Topic(kind=kind, key="") if not colon else None
    if kind is TopicKind.OPERATIONS:
        return Topic(kind=kind, key=key) if REGION.match(key) else None
    return Topic(kind=kind, key=key) if _is_canonical_uuid(key) else None


def _is_canonical_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
