"""What every handler may use: made once per worker by `hub.app`, handed on as `request.app.ctx.house`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from db.connection import Database
from db.encryption import DataKeys
from hub.gateway.authority import Authority
from hub.gateway.hashing import Hasher
from hub.gateway.nudge import Nudge
from hub.gateway.rate_limit import Limiter
from hub.gateway.tokens import KeyRing, Verified
from hub.gateway.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The parts of one worker. `take_positions(rider_id, points)` passes a rider's points to the live hub."""

    database: Database
    redis: Redis
    authority: Authority
    keys: KeyRing
    verified: Verified
    data_keys: DataKeys
    nudge: Nudge
    limiter: Limiter
    hasher: Hasher
    watch: Watch
    send_text: Callable[[str, str], Awaitable[None]]
    tracking_secret: str
    access_token_seconds: int
    is_embedded: bool
    take_positions: Callable[[str, Any], Awaitable[dict[str, Any]]]
