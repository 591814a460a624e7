"""What the actors of a running city share: the hub's address, the clock, the city, and what people tell each other.

`Hearsay` is the only thing that passes between people outside the product: the pin that the customer tells the rider at
the door, and how long the cook's dish really takes. Everything else they learn from the hub.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp

from hub.client.clock import ProductClock
from hub.client.fold import Tally
from hub.client.http import Api
from hub.client.live import Live, Watchers
from hub.demo.accounts import Accounts
from hub.demo.city import City, Item, Kitchen
from hub.demo.day import Day

# How long an actor keeps sending one action while the hub is away, in real seconds.
PATIENCE_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """How people behave. The defaults are those of a replay: nobody declines, nobody changes their mind."""

    decline_chance: float = 0.0
    cancel_chance: float = 0.0
    slowest_answer_seconds: float = 0.0
    position_seconds: float = 1.0


LIVELY = Temper(decline_chance=0.04, cancel_chance=0.02, slowest_answer_seconds=2.0)


@dataclass(slots=True)
class Hearsay:
    """What people tell each other: order id → pin, order id → product time at which the dish is really ready."""

    pins: dict[str, str] = field(default_factory=dict)
    ready_at: dict[str, datetime] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Town:
    """The shared context of all actors of one run."""

    hub_url: str
    city: City
    day: Day
    day_start: datetime
    clock: ProductClock
    session: aiohttp.ClientSession
    token_for: Callable[[str], str]
    temper: Temper
    chance: random.Random
    run_key: str
    accounts: Accounts = field(default_factory=Accounts)
    hearsay: Hearsay = field(default_factory=Hearsay)
    _lives: list[Live] = field(default_factory=list)
    _departed: Tally = field(default_factory=Tally)

    def api(self, person_id: str) -> Api:
        """The HTTP API as a person sees it."""
        token_for = self.token_for
        return Api(
            hub_url=self.hub_url,
            session=self.session,
            token=lambda: token_for(person_id),
            patience_seconds=PATIENCE_SECONDS,
        )

    @asynccontextmanager
    async def live(self, person_id: str, watchers: Watchers | None = None) -> AsyncIterator[Live]:
        """A person's live connection; its counts stay in the account after it is left."""
        token_for = self.token_for
        live = Live(
            self.hub_url, lambda: {"token": token_for(person_id)}, watchers=watchers or Watchers(), clock=self.clock
        )
        self._lives.append(live)
        try:
            async with live:
                yield live
        finally:
            self._lives.remove(live)
            self._departed += live.tally()

    def tally(self) -> Tally:
        """The counts of all actors' sockets together."""
        total = Tally()
        total += self._departed
        for live in self._lives:
            total += live.tally()
        return total

    def moment(self, day_seconds: float) -> datetime:
        """The product time of a moment of the day."""
        return self.day_start + timedelta(seconds=day_seconds)

    def kitchen(self, key: str) -> Kitchen:
        """The kitchen that the day calls `key`."""
        return next(kitchen for kitchen in self.city.kitchens if kitchen.key == key)

    def menu(self, kitchen_id: str) -> dict[str, Item]:
        """The day's item keys → items of a kitchen."""
        return {item.key: item for item in self.city.items if item.kitchen_id == kitchen_id}
