"""A route that goes away: since when, until when, and what takes its place.

Its answers say so in headers (`Deprecation` of RFC 9745, `Sunset` of RFC 8594, `Link` with `successor-version` of
RFC 5829), refusals included, and the OpenAPI document marks it. It is served unchanged until somebody takes it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

PARAMETER = re.compile(r"<(\w+):\w+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """`successor` is a path below /v1 whose parameters, if any, are among those of the old route.

    Raises `ValueError` for times that are not in UTC, or a sunset that is not after the deprecation.
    """

    since: datetime
    sunset: datetime
    successor: str

    def __post_init__(self) -> None:
        if not all(time.utcoffset() is not None and not time.utcoffset() for time in (self.since, self.sunset)):
            raise ValueError("the times of a deprecation are given in UTC")
        if self.sunset <= self.since:
            raise ValueError("a route is deprecated before its sunset")

    def headers(self, ids: Mapping[str, Any]) -> dict[str, str]:
        """The headers of an answer; `ids` are the request's own path parameters."""
        successor = PARAMETER.sub(lambda found: str(ids[found[1]]), self.successor)
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.sunset, usegmt=True),
            "Link": f'</v1{successor}>; rel="successor-version"',
        }
