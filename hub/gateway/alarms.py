"""When security events of one worker are so many that somebody must be told: the rules of `hub.domain.security`.

Counts every event, also those that are not written one by one. Each worker counts by itself; Prometheus sums them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from hub.domain.security import ALERTS, Alert, SecurityKind


class Alarms:
    """The rules with what they have seen; `clock` gives monotonic seconds."""

    def __init__(self, rules: Iterable[Alert] = ALERTS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = [(rule, deque[float](maxlen=rule.at_least)) for rule in rules]
        self._raised_at: dict[str, float] = {}

    def count(self, kind: SecurityKind) -> list[Alert]:
        """Count an event; the rules that it makes an alert of. A rule is silent for its own time afterwards."""
        now = self._clock()
        return [rule for rule, times in self._seen if kind in rule.kinds and self._is_alert(rule, times, now)]

    def _is_alert(self, rule: Alert, times: deque[float], now: float) -> bool:
        times.append(now)
        if len(times) < rule.at_least or now - times[0] > rule.within_seconds:
            return False
        raised_at = self._raised_at.get(rule.name)
        if raised_at is not None and now - raised_at < rule.within_seconds:
            return False
        self._raised_at[rule.name] = now
        return True
