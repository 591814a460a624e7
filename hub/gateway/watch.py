"""Security events on their way to the record: noted by whoever refuses, written beside the requests.

Invariant: watching never slows or fails a request. The queue is bounded; the same kind from the same person and address
is written once in ten seconds and counted always, so a flood is one row and a rising metric, not a full table. When the
count is one that somebody must be told of, an alert is written too: live for administrators, like every event.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from db import security
from db.connection import DATABASE_AWAY, Database
from db.context import context
from hub.domain.security import SEVERITIES, SecurityKind
from hub.gateway.alarms import Alarms
from hub.observability import logs, metrics

LOG = logs.get(__name__)
MOST_WAITING = 1000
QUIET_SECONDS = 10.0
MOST_REMEMBERED = 10_000
RETRY_SECONDS = 1.0


class Watch:
    """The events of one worker. `after` is called when one was written."""

    def __init__(self, database: Database, after: Callable[[], None]) -> None:
        self._database, self._after = database, after
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_WAITING)
        self._noted: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._alarms = Alarms()
        for kind in SecurityKind:  # a rate needs a first value: nothing has happened yet
            metrics.SECURITY_EVENTS.labels(kind)

    def note(
        self,
        kind: SecurityKind,
        *,
        person_id: str | None = None,
        ip: str = "",
        about: str = "",
        detail: str = "",
        request_id: str | None = None,
    ) -> None:
        """Count an event, and write it unless the like (same person, address and `about`) was written a moment ago."""
        metrics.SECURITY_EVENTS.labels(kind).inc()
        if not self._is_repeat((kind, person_id or "", ip, about)):
            self._put(kind, person_id=person_id, ip=ip, detail=detail, request_id=request_id)
        for alert in self._alarms.count(kind):
            metrics.SECURITY_EVENTS.labels(SecurityKind.ALERT_RAISED).inc()
            told = f"{alert.name}: {alert.at_least} within {alert.within_seconds} s. {alert.summary}"
            self._put(SecurityKind.ALERT_RAISED, person_id=person_id, ip=ip, detail=told, request_id=request_id)

    def _put(self, kind: SecurityKind, **about: str | None) -> None:
        event = {"kind": kind.value, "severity": SEVERITIES[kind].value, **about}
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            metrics.SECURITY_EVENTS_DROPPED.inc()

    async def run(self) -> None:
        """Write events for ever; while the database is away they wait."""
        while True:
            event = await self._waiting.get()
            while not await self._write(event):
                await asyncio.sleep(RETRY_SECONDS)

    async def _write(self, event: dict[str, Any]) -> bool:
        said = context(actor="gateway", reason=event["detail"], request_id=event["request_id"])
        try:
            async with self._database.connection() as connection:
                await security.RECORD.value(connection, **event, context=said)
        except DATABASE_AWAY as error:
            LOG.info("security events wait for the database", error=type(error).__name__)
            return False
        LOG.warning("security event", **{name: event[name] for name in ("kind", "severity", "person_id", "ip")})
        self._after()
        return True

    def _is_repeat(self, key: tuple[str, ...]) -> bool:
        now = time.monotonic()
        if now - self._noted.get(key, -QUIET_SECONDS) < QUIET_SECONDS:
            return True
        self._noted[key] = now
        self._noted.move_to_end(key)
        if len(self._noted) > MOST_REMEMBERED:
            self._noted.popitem(last=False)
        return False
