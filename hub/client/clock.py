"""The product clock as the hub tells it: business time that a demo or a replay runs faster than real time.

The hub owns the clock; a client only carries it on between two tellings (`head` frames, `GET /v1/clock`) with the
monotonic clock of its machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# Longest single wait: the hub may set another rate meanwhile.
LONGEST_WAIT_SECONDS = 1.0


class ProductClock:
    """The product time now, and waiting for a product time. `monotonic` is given by tests."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told_at = datetime.now(UTC)
        self._told_when = monotonic()
        self.rate = 1.0

    def tell(self, at: str | datetime, rate: float) -> None:
        """Take the hub's word: it is `at` now, and `rate` product seconds pass in a real one."""
        self._told_at = at if isinstance(at, datetime) else datetime.fromisoformat(at)
        self._told_when = self._monotonic()
        self.rate = float(rate)

    def now(self) -> datetime:
        """The product time."""
        return self._told_at + timedelta(seconds=(self._monotonic() - self._told_when) * self.rate)

    def real_seconds_until(self, at: datetime) -> float:
        """Real seconds from now until the product time `at`; negative when it has passed."""
        return (at - self.now()).total_seconds() / max(self.rate, 1e-9)

    async def until(self, at: datetime) -> None:
        """Return once the product time is `at` or later."""
        while (remaining := self.real_seconds_until(at)) > 0:
            await asyncio.sleep(min(remaining, LONGEST_WAIT_SECONDS))

    async def pass_seconds(self, product_seconds: float) -> None:
        """Return after so many product seconds."""
        await self.until(self.now() + timedelta(seconds=product_seconds))
