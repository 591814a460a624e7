"""The bodies that say why: one shape for every move that must give a reason."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

LONGEST = 300
# At least one visible sign, so that an audit never says nothing.
ReasonText = Annotated[str, Meta(pattern=r"\S", max_length=LONGEST)]
Remark = Annotated[str, Meta(max_length=LONGEST)]


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """A move that must say why."""

    reason: ReasonText


def trimmed(text: str | None) -> str | None:
    """The text without blanks around it; None when nothing is left."""
    return (text or "").strip() or None
