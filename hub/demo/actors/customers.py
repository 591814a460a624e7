"""Customers: place the day's orders at their moment, watch `order:<id>`, tell the rider the pin at the door.

Orders are placed open-loop: nobody waits for another's answer, and a slow hub does not thin out the demand.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from hub.client.errors import ApiError, AskRefused, Unreachable
from hub.client.fold import Row, TopicFold
from hub.client.http import Json
from hub.client.live import Watchers
from hub.demo.accounts import ENDS
from hub.demo.city import Person
from hub.demo.day import DayOrder
from hub.demo.town import Town
from hub.domain.geo import project


@dataclass(slots=True)
class Customers:
    """All customers of a run."""

    town: Town
    repeat: bool = False
    _menus: dict[str, dict[str, str]] = field(default_factory=dict)

    async def order_all(self) -> None:
        """Place every order of the day (again and again with `repeat`); returns when all have ended."""
        people = self.town.city.on_duty("customer")
        if not self.repeat:
            for order in self.town.day.orders:
                self.town.accounts.expect(order.key)
        async with asyncio.TaskGroup() as group:
            lap = 0
            while True:
                for number, order in enumerate(self.town.day.orders):
                    shift_seconds = lap * self.town.day.lap_seconds
                    await self.town.clock.until(self.town.moment(order.placed_seconds + shift_seconds))
                    key = f"{order.key}.{lap}" if self.repeat else order.key
                    group.create_task(self._order(people[number % len(people)], order, key, shift_seconds))
                lap += 1
                if not self.repeat:
                    return

    async def _order(self, person: Person, order: DayOrder, key: str, shift_seconds: float) -> None:
        town = self.town
        try:
            answer = await town.api(person.id).place_order(
                **self._wish(order), note=order.note or None, key=f"{town.run_key}.{key}.place"
            )
        except ApiError as refusal:
            town.accounts.refused(key, refusal.code)
            return
        except Unreachable:
            town.accounts.refused(key, "unreachable")
            return
        placed = answer["order"]
        if placed.get("delivery_pin"):
            town.hearsay.pins[placed["id"]] = placed["delivery_pin"]
        town.hearsay.ready_at[placed["id"]] = town.moment(order.ready_seconds + shift_seconds)
        town.accounts.placed(key, placed)
        await self._watch(person, placed["id"], key)

    def _wish(self, order: DayOrder) -> Json:
        """The kitchen, the items and the place to bring them to."""
        town = self.town
        kitchen_id = town.kitchen(order.kitchen).id
        if kitchen_id not in self._menus:
            self._menus[kitchen_id] = {key: item.id for key, item in town.menu(kitchen_id).items()}
        items = [
            {"item_id": self._menus[kitchen_id][line.item], "quantity": line.quantity}
            | ({"options": line.options} if line.options else {})
            for line in order.lines
        ]
        city = town.city
        lat, lon = project(order.x_metres, order.y_metres, centre_lat=city.centre_lat, centre_lon=city.centre_lon)
        return {"kitchen_id": kitchen_id, "items": items, "drop": {"lat": lat, "lon": lon}}

    async def _watch(self, person: Person, order_id: str, key: str) -> None:
        """Follow the order until it has ended; some change their mind while they still may."""
        town = self.town

        def seen(fold: TopicFold, entity: str, row: Row) -> None:
            if entity == "order" and row["id"] == order_id:
                town.accounts.told(key, row)
                if row.get("delivery_pin"):
                    town.hearsay.pins[order_id] = row["delivery_pin"]

        async with town.live(person.id, Watchers(on_row=seen)) as live, asyncio.TaskGroup() as group:
            if town.chance.random() < town.temper.cancel_chance:
                group.create_task(self._change_mind(person, order_id, key))
            try:
                fold = await live.subscribe(f"order:{order_id}")
            except AskRefused as refusal:
                town.accounts.trouble("customer subscribes", refusal.code)
                return
            await live.until(lambda: (fold.row("order", order_id) or {}).get("status") in ENDS)
        town.hearsay.pins.pop(order_id, None)
        town.hearsay.ready_at.pop(order_id, None)

    async def _change_mind(self, person: Person, order_id: str, key: str) -> None:
        town = self.town
        await town.clock.until(town.clock.now() + timedelta(seconds=town.chance.uniform(20, 240)))
        try:
            await town.api(person.id).move_order(
                order_id, "cancel", {"reason": "changed my mind"}, key=f"{town.run_key}.{key}.cancel"
            )
        except (ApiError, Unreachable):
            return  # too late: the kitchen has begun, or it is on its way
