"""Riders: work their shift, answer offers, travel in a straight line at the day's speed, and hand over.

A rider knows only what `rider:<id>` shows. All waiting is in product time; positions go through the socket.
Service takes its time at both ends as in the published problem: half of it before the event, half after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hub.client.errors import ApiError, AskRefused, SocketLost, Unreachable
from hub.client.fold import Row, TopicFold
from hub.client.http import Json
from hub.client.live import Live, Watchers
from hub.demo.actors.errands import Errand, ErrandKind, Standpoint, next_errand
from hub.demo.city import Rider
from hub.demo.day import DayCourier
from hub.demo.town import Town
from hub.domain.geo import distance_metres

PIN_TIMEOUT_SECONDS = 5.0
LONGEST_LOOK_SECONDS = 2.0
# A refused move leaves the rider puzzled for a moment: the topic will tell what has changed.
PUZZLED_SECONDS = 0.3


@dataclass(slots=True)
class Courier:
    """One rider at work. `is_endless`: the shift does not end while the run lasts."""

    town: Town
    rider: Rider
    shift: DayCourier
    is_endless: bool = False
    lat: float = 0.0
    lon: float = 0.0
    _sequence: int = 0
    _answering: set[str] = field(default_factory=set)
    _sent_at: float = 0.0

    async def work(self) -> None:
        """Wait for the shift, work it, finish what is in the bag, go home."""
        town = self.town
        self.lat, self.lon = self.rider.home_lat, self.rider.home_lon
        await town.clock.until(town.moment(self.shift.on_seconds))
        off_at = town.moment(self.shift.off_seconds)
        async with asyncio.TaskGroup() as group:

            def seen(fold: TopicFold, entity: str, row: Row) -> None:
                if entity == "offer" and row["state"] == "live" and row["id"] not in self._answering:
                    self._answering.add(row["id"])
                    group.create_task(self._answer(row))

            async with town.live(self.rider.id, Watchers(on_row=seen)) as live:
                try:
                    fold = await live.subscribe(f"rider:{self.rider.id}")
                except AskRefused as refusal:
                    town.accounts.trouble("rider subscribes", refusal.code)
                    return
                await self._start_shift(off_at)
                await self._send_position(live)
                await self._run_errands(live, fold, off_at)
                await self._shift("end", {})

    async def _start_shift(self, off_at: datetime) -> None:
        place: Json = {"lat": self.lat, "lon": self.lon}
        await self._shift("start", place | ({} if self.is_endless else {"ends_at": off_at.isoformat()}))

    async def _shift(self, move: str, body: Json) -> None:
        town = self.town
        key = f"{town.run_key}.{self.rider.id}.{move}"
        try:
            await town.api(self.rider.id).move_shift(self.rider.id, move, body, key=key)
        except ApiError as refusal:
            if refusal.code != "rider.wrong_state":  # an earlier run, or a person at a screen, was first
                town.accounts.trouble(f"shift {move}", refusal.code)
        except Unreachable:
            town.accounts.trouble(f"shift {move}", "unreachable")

    async def _answer(self, offer: Row) -> None:
        """Think for a moment, then take the offer; some are declined."""
        town, temper = self.town, self.town.temper
        if temper.slowest_answer_seconds:
            left = town.clock.real_seconds_until(datetime.fromisoformat(offer["expires_at"]))
            await asyncio.sleep(max(0.0, min(town.chance.uniform(0.1, 1) * temper.slowest_answer_seconds, left * 0.5)))
        move = "decline" if town.chance.random() < temper.decline_chance else "accept"
        key = f"{offer['id']}.{move}"
        try:
            await town.api(self.rider.id).answer_offer(offer["id"], move, key=key)
        except ApiError as refusal:
            if refusal.code not in {"offer.wrong_state", "offer.not_open"}:
                town.accounts.trouble(f"offer {move}", refusal.code)
        except Unreachable:
            town.accounts.trouble(f"offer {move}", "unreachable")

    async def _run_errands(self, live: Live, fold: TopicFold, off_at: datetime) -> None:
        """Do one errand after another until the shift is over and the bag is empty."""
        while True:
            errand = self._errand(fold)
            if errand is None or errand.kind is ErrandKind.WAIT:
                if errand is None and not self.is_endless and self.town.clock.now() >= off_at:
                    return
                await self._look(live, fold, errand, off_at)
            elif not await self._do(live, fold, errand):
                await asyncio.sleep(PUZZLED_SECONDS)

    def _errand(self, fold: TopicFold) -> Errand | None:
        at = Standpoint(lat=self.lat, lon=self.lon, now=self.town.clock.now())
        return next_errand(fold.rows("delivery"), fold.rows("order"), at)

    async def _look(self, live: Live, fold: TopicFold, present: Errand | None, off_at: datetime) -> None:
        """Wait until the topic shows another errand, the shift ends, or a moment has passed."""
        left = self.town.clock.real_seconds_until(off_at)
        limit = min(LONGEST_LOOK_SECONDS, left) if left > 0 and not self.is_endless else LONGEST_LOOK_SECONDS
        before = None if present is None else (present.kind, present.delivery["id"])

        def is_other() -> bool:
            found = self._errand(fold)
            return (None if found is None else (found.kind, found.delivery["id"])) != before

        try:
            await live.until(is_other, timeout_seconds=limit)
        except TimeoutError:
            await self._send_position(live)

    async def _do(self, live: Live, fold: TopicFold, errand: Errand) -> bool:
        """Do one errand; False when the hub would not have it."""
        clock, terms = self.town.clock, self.town.day.terms
        delivery = errand.delivery
        if errand.kind is ErrandKind.FETCH:
            await self._travel(live, errand.lat, errand.lon)
            return await self._move(fold, delivery, "arrive", {})
        if errand.kind is ErrandKind.TAKE:
            arrived = datetime.fromisoformat(delivery["at_kitchen_at"])
            await clock.until(arrived + timedelta(minutes=terms.pickup_minutes / 2))
            taken = await self._move(fold, delivery, "pick-up", {"code": delivery["order_code"]})
            following = self._errand(fold)
            if following is None or following.kind is not ErrandKind.TAKE:
                await clock.pass_seconds(terms.pickup_minutes * 30)
            return taken
        if errand.kind is ErrandKind.CARRY:
            await self._travel(live, errand.lat, errand.lon)
            return await self._move(fold, delivery, "at-door", {})
        await clock.pass_seconds(terms.dropoff_minutes * 30)
        done = await self._move(fold, delivery, "deliver", await self._handing_over(delivery))
        await clock.pass_seconds(terms.dropoff_minutes * 30)
        return done

    async def _handing_over(self, delivery: Row) -> Json:
        """The exact cash, and the pin that the customer tells at the door."""
        body: Json = {"cash_minor": delivery["cash_due_minor"]} if delivery.get("cash_due_minor") else {}
        end = asyncio.get_running_loop().time() + PIN_TIMEOUT_SECONDS
        pins = self.town.hearsay.pins
        while delivery["order_id"] not in pins and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        pin = pins.get(delivery["order_id"])
        return body | ({"pin": pin} if pin else {"reason": "the customer did not know the pin"})

    async def _move(self, fold: TopicFold, delivery: Row, move: str, body: Json) -> bool:
        key = f"{delivery['id']}.{move}.{delivery['version']}"
        api = self.town.api(self.rider.id)
        answer = await self._ask(move, lambda: api.move_delivery(delivery["id"], move, body, key=key))
        if answer is not None:
            fold.learn("delivery", answer["delivery"])
        return answer is not None

    async def _ask(self, what: str, action: Callable[[], Awaitable[Json]]) -> Json | None:
        """The answer, or None with the refusal counted."""
        try:
            return await action()
        except ApiError as refusal:
            self.town.accounts.trouble(f"rider {what}", refusal.code)
        except Unreachable:
            self.town.accounts.trouble(f"rider {what}", "unreachable")
        return None

    async def _travel(self, live: Live, lat: float, lon: float) -> None:
        """Go straight to a place, telling the position on the way."""
        clock = self.town.clock
        from_lat, from_lon, begun = self.lat, self.lon, clock.now()
        metres = distance_metres(from_lat, from_lon, lat, lon)
        minutes = metres / self.town.day.terms.metres_per_minute
        arrival = begun + timedelta(minutes=minutes)
        while (left := clock.real_seconds_until(arrival)) > 0:
            await asyncio.sleep(min(left, self.town.temper.position_seconds))
            share = min(1.0, (clock.now() - begun) / (arrival - begun))
            self.lat, self.lon = from_lat + (lat - from_lat) * share, from_lon + (lon - from_lon) * share
            await self._send_position(live)
        self.lat, self.lon = lat, lon
        await self._send_position(live, is_arrival=True)

    async def _send_position(self, live: Live, *, is_arrival: bool = False) -> None:
        """Tell where the rider is, at most once per `position_seconds` on the way; a lost one is not repeated."""
        now = asyncio.get_running_loop().time()
        if now - self._sent_at < self.town.temper.position_seconds and not is_arrival:
            return
        self._sent_at = now
        self._sequence += 1
        at = datetime.now(UTC).isoformat()
        point = {"seq": self._sequence, "at": at, "lat": self.lat, "lon": self.lon, "accuracy_metres": 8.0}
        try:
            await live.send_positions([point])
        except AskRefused as refusal:
            self.town.accounts.trouble("rider position", refusal.code)
        except SocketLost:
            return


def couriers_of(town: Town, *, is_endless: bool) -> list[Courier]:
    """Every rider of the city with the shift of the day."""
    shifts = {courier.key: courier for courier in town.day.couriers}
    return [Courier(town, rider, shifts[rider.key], is_endless=is_endless) for rider in town.city.riders]
