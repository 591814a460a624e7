"""A reading of a rider's device, as it comes by socket or by HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

MOST_POINTS = 100  # in one message


class Point(msgspec.Struct, forbid_unknown_fields=True):
    """One reading; `at` is the device's own time, `speed` in metres a second, `heading` in degrees from north."""

    seq: Annotated[int, Meta(ge=0, le=2**53)]
    at: datetime
    lat: float
    lon: float
    accuracy_metres: float | None = None
    heading: float | None = None
    speed: float | None = None
