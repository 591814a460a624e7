"""Cooks and expediters: what a kitchen's topic shows as fired is started, finished in time and checked.

Driven by the state that is shown, not by events: whatever was missed while the hub was away is simply there afterwards.
People at a real screen may touch the same lines; a refused move tells the present state, and the cook goes on from it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.client.errors import ApiError, AskRefused, Unreachable
from hub.client.fold import Row, TopicFold
from hub.client.live import Watchers
from hub.demo.city import Person
from hub.demo.town import Town

# The move that a cook or expediter makes next, by the state of the line.
NEXT_MOVE = {"fired": "start", "cooking": "done", "done": "check"}


@dataclass(slots=True)
class Cook:
    """Who works a round of kitchens. `checker` has the right to check at the pass; may be the same person."""

    town: Town
    cook: Person
    checker: Person
    kitchen_ids: tuple[str, ...]
    _busy: set[str] = field(default_factory=set)

    async def work(self) -> None:
        """Cook for ever; cancel to stop."""
        async with asyncio.TaskGroup() as group:

            def seen(fold: TopicFold, entity: str, row: Row) -> None:
                if entity == "line" and row["state"] in NEXT_MOVE and row["id"] not in self._busy:
                    self._busy.add(row["id"])
                    group.create_task(self._cook(fold, row))

            async with self.town.live(self.checker.id, Watchers(on_row=seen)) as live:
                for kitchen_id in self.kitchen_ids:
                    try:
                        await live.subscribe(f"kitchen:{kitchen_id}")
                    except AskRefused as refusal:
                        self.town.accounts.trouble("cook subscribes", refusal.code)
                await asyncio.get_running_loop().create_future()

    async def _cook(self, fold: TopicFold, line: Row) -> None:
        """Take one line from where it stands to checked."""
        try:
            while (move := NEXT_MOVE.get(line["state"])) is not None:
                if move == "done":
                    await self.town.clock.until(self._done_at(line))
                moved = await self._move(line, move)
                if moved is None:
                    return
                line = moved
                fold.learn("line", line)
        finally:
            self._busy.discard(line["id"])

    async def _move(self, line: Row, move: str) -> Row | None:
        """The line after the move, or as it stands when somebody else was faster; None when nothing can be done."""
        town = self.town
        api = town.api(self.checker.id if move == "check" else self.cook.id)
        try:
            answer = await api.move_line(line["id"], move, key=f"{line['id']}.{move}.{line['version']}")
        except ApiError as refusal:
            if refusal.code == "line.wrong_state" and refusal.fields.get("present") != line["state"]:
                return line | {"state": refusal.fields.get("present"), "version": line["version"] + 1}
            town.accounts.trouble(f"cook {move}", refusal.code)
            return None
        except Unreachable:
            town.accounts.trouble(f"cook {move}", "unreachable")
            return None
        return dict(answer["line"])

    def _done_at(self, line: Row) -> datetime:
        """When the dish is done: after its preparation time, but never after the moment the day has recorded."""
        started_at = line.get("started_at")
        begun = datetime.fromisoformat(started_at) if started_at else self.town.clock.now()
        usual = begun + timedelta(seconds=line["prep_seconds"])
        recorded = self.town.hearsay.ready_at.get(line["order_id"])
        return usual if recorded is None else min(usual, recorded)


def cooks_of(town: Town) -> list[Cook]:
    """Who cooks where: a cook and an expediter for each kitchen of a small city, expediters alone in a large one."""
    checkers = town.city.on_duty("expediter")
    by_kitchen = {kitchen: cook for cook in town.city.on_duty("cook") for kitchen in town.city.kitchens_of(cook.id)}
    rounds = [(checker, town.city.kitchens_of(checker.id)) for checker in checkers]
    return [
        Cook(town, cook=by_kitchen.get(kitchens[0], checker), checker=checker, kitchen_ids=kitchens)
        for checker, kitchens in rounds
    ]
