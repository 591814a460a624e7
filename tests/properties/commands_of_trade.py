"""The commands of orders, lines, kitchens, deliveries, offers and riders: see `tests/properties/stage`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from db.offer_moves import OFFER
from hub.deliveries.api import BODIES as DELIVERY_MOVES
from hub.domain.delivery import DELIVERY, SHIFT
from hub.domain.line import LINE
from hub.domain.move import Machine
from hub.domain.order import IN_KITCHEN, ORDER
from hub.orders.api import BODIES as ORDER_MOVES
from tests.course import DISPATCHING
from tests.properties.stage import COMMANDS, WHY, Ask, Refused, Stage, command

# An order is led to a state by these commands, and a delivery by those, one after the other.
ORDER_WAY = {
    "placed": (),
    "accepted": ("accept",),
    "preparing": ("accept", "start", "done"),
    "ready": ("accept", "start", "done", "check"),
}
DELIVERY_WAY = {"waiting": (), "assigned": ("assign",), "at_kitchen": ("assign", "arrive")}
DELIVERY_WAY["picked_up"] = (*DELIVERY_WAY["at_kitchen"], "pick-up")
DELIVERY_WAY["at_door"] = (*DELIVERY_WAY["picked_up"], "at-door")
DELIVERY_WAY["failed"] = (*DELIVERY_WAY["at_door"], "fail")
DELIVERY_WAY["returning"] = (*DELIVERY_WAY["failed"], "return")
COOKED = ("accepted", "preparing", "ready")
FIRE = "update order_line set state = 'fired' where state in ('held', 'remake') and order_id = $1"
ORDERS = "select id::text, code, status from orders where status = any($1)"
LINES = """
select l.id::text from order_line l join orders o on o.id = l.order_id where l.state = any($1) and o.status = any($2)
"""
DELIVERIES = """
select d.id::text, d.order_id::text, d.rider_id::text, d.cash_due_minor, o.code, o.delivery_pin
from delivery d join orders o on o.id = d.order_id
where d.status = any($1) and o.status = any($2) and ($3::uuid is null or d.id = $3)
"""
GONE = ("out_for_delivery", "delivery_failed")
ORDER_BODIES: dict[str, dict[str, Any]] = {
    "delay": {"minutes": 5} | WHY, "amend": {"note": "ring <b>twice</b>"}, "rush": {"is_rush": True},
}  # fmt: skip


def sources(machine: Machine, name: str) -> list[str]:
    """The states from which a move is made."""
    return [str(source) for move in machine.named(name) for source in move.sources]


async def item_on_menu(stage: Stage, *, is_available: bool) -> str:
    """A dish that is on the menu, or off."""
    query = "select id::text from item where is_available = $1 and portions_left is null"
    if (row := await stage.one(query, is_available)) is None:
        await stage.make("POST", f"/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/{'back' if is_available else '86'}")
        row = await stage.sure(query, is_available)
    return str(row["id"])


@command("POST", "/quotes")
@command("POST", "/orders")
async def basket(stage: Stage) -> Ask:
    """A basket for a kitchen that takes orders."""
    if await stage.one("select id from kitchen where paused_until > product_now()") is not None:
        await stage.make("POST", "/kitchens/<kitchen_id:uuid>/resume")
    body = stage.cast.basket() | {"items": [{"item_id": await item_on_menu(stage, is_available=True)}]}
    return Ask(who=stage.chance.choice((stage.cast.customer, stage.cast.other_customer)), body=body)


async def newborn(stage: Stage, *way: str) -> str:
    """The id of a fresh order that was led so far."""
    placed = await stage.make("POST", "/orders")
    order_id, line_id = str(placed["order"]["id"]), str(placed["lines"][0]["id"])
    for move in way:
        kind, target = ("orders", order_id) if move == "accept" else ("lines", line_id)
        await stage.ask("POST", f"/{kind}/<{kind[:-1]}_id:uuid>/{move}", Ask(who=stage.cast.manager, ids=(target,)))
        if move == "accept":
            await stage.cast.conn.execute(FIRE, order_id)
    return order_id


async def order_in(stage: Stage, states: list[str]) -> str:
    """An order in one of the states."""
    if stage.chance.random() < 0.8 and (row := await stage.one(ORDERS, states)) is not None:
        return str(row["id"])
    return await newborn(stage, *ORDER_WAY[stage.chance.choice(states)])


def _order_move(move: str) -> None:
    @command("POST", f"/orders/<order_id:uuid>/{move}")
    async def ask(stage: Stage) -> Ask:
        states = sources(ORDER, move) or [str(state) for state in IN_KITCHEN]
        if move == "ready":  # every line is done then, as in nothing but a newborn for sure
            order_id = await newborn(stage, *ORDER_WAY["preparing"])
        else:
            order_id = await order_in(stage, states)
        body = WHY if ORDER_MOVES[move].__name__ == "Reason" else ORDER_BODIES.get(move, {})
        return Ask(who=stage.cast.manager, ids=(order_id,), body=body)


def _line_move(move: str) -> None:
    @command("POST", f"/lines/<line_id:uuid>/{move}")
    async def ask(stage: Stage) -> Ask:
        states = sources(LINE, move)
        if (row := await stage.one(LINES, states, COOKED)) is None:
            order_id = await newborn(stage, *_line_way(states))
            row = await stage.sure("select id::text from order_line where order_id = $1", order_id)
        body = WHY if move in ("remake", "void") else {}
        return Ask(who=stage.cast.manager, ids=(row["id"],), body=body)


def _line_way(states: list[str]) -> tuple[str, ...]:
    way = ("accept", "start", "done", "check")
    reached = ("fired", "cooking", "done", "checked")
    return way[: 1 + next(at for at, state in enumerate(reached) if state in states)]


async def delivery_in(stage: Stage, states: list[str]) -> Any:
    """A delivery in one of the states, its order ready or gone; the row of `DELIVERIES`."""
    if stage.chance.random() < 0.8:
        found = await stage.one(DELIVERIES, states, ("ready", *GONE), None)
        if found is not None:
            return found
    order_id = await newborn(stage, *ORDER_WAY["ready"])
    delivery_id = await stage.cast.conn.fetchval("select id::text from delivery where order_id = $1", order_id)
    way = DELIVERY_WAY[stage.chance.choice([state for state in states if state in DELIVERY_WAY])]
    for move in way:
        row = await stage.sure(DELIVERIES, list(DELIVERY_WAY), ("ready", *GONE), delivery_id)
        await stage.ask("POST", f"/deliveries/<delivery_id:uuid>/{move}", await _of_delivery(stage, move, row))
    return await stage.sure(DELIVERIES, list(DELIVERY_WAY), ("ready", *GONE), delivery_id)


async def rider_on_shift(stage: Stage) -> str:
    """A rider who works."""
    query = "select id::text from rider where shift = 'on'"
    if await stage.one(query) is None:
        await stage.make("POST", "/riders/<rider_id:uuid>/shift/start")
    return str((await stage.sure(query))["id"])


async def _of_delivery(stage: Stage, move: str, row: Any) -> Ask:
    """How a move of this very delivery is asked."""
    bodies = {
        "assign": {"rider_id": await rider_on_shift(stage)},
        "pick-up": {"code": row["code"]},
        "deliver": {"pin": row["delivery_pin"], "cash_minor": row["cash_due_minor"]},
    }
    body = WHY if DELIVERY_MOVES[move].__name__ == "Reason" else bodies.get(move, {})
    is_of_manager = move in ("assign", "unassign")
    who = stage.cast.manager if is_of_manager else stage.cast.as_person(row["rider_id"])
    return Ask(who=who, ids=(row["id"],), body=body)


def _delivery_move(move: str) -> None:
    @command("POST", f"/deliveries/<delivery_id:uuid>/{move}")
    async def ask(stage: Stage) -> Ask:
        return await _of_delivery(stage, move, await delivery_in(stage, sources(DELIVERY, move)))


def _offer_move(move: str) -> None:
    @command("POST", f"/offers/<offer_id:uuid>/{move}")
    async def ask(stage: Stage) -> Ask:
        rider_id = await rider_on_shift(stage)
        row = await delivery_in(stage, ["waiting"])
        offer_id = await OFFER.value(
            stage.cast.conn, delivery_id=row["id"], rider_id=rider_id, approach_metres=100, seconds=3600.0,
            context=DISPATCHING,
        )  # fmt: skip
        if offer_id is None:
            raise Refused("the delivery was quicker than its offer")
        return Ask(who=stage.cast.as_person(rider_id), ids=(str(offer_id),))


def _shift_move(move: str) -> None:
    @command("POST", f"/riders/<rider_id:uuid>/shift/{move}")
    async def ask(stage: Stage) -> Ask:
        """The last rider comes and goes; the others stay, so that somebody works."""
        rider_id = stage.cast.town.rider_ids[-1]
        shift = await stage.cast.conn.fetchval("select shift from rider where id = $1", rider_id)
        if shift not in sources(SHIFT, move):
            await stage.make("POST", f"/riders/<rider_id:uuid>/shift/{'end' if move == 'start' else 'start'}")
        return Ask(who=stage.cast.as_person(rider_id), ids=(rider_id,))


@command("POST", "/kitchens/<kitchen_id:uuid>/pause")
@command("POST", "/kitchens/<kitchen_id:uuid>/resume")
async def pause(stage: Stage) -> Ask:
    """The only kitchen; pausing asks for more than resuming."""
    return Ask(who=stage.cast.manager, ids=(stage.cast.town.kitchen_id,))


@command("POST", "/kitchens/<kitchen_id:uuid>/pause")
async def pause_a_while(stage: Stage) -> Ask:
    """A quarter of an hour."""
    return Ask(who=stage.cast.manager, ids=(stage.cast.town.kitchen_id,), body={"minutes": 15} | WHY)


@command("POST", "/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/86")
async def sell_out(stage: Stage) -> Ask:
    """A dish that is there."""
    return Ask(who=stage.cast.cook, ids=(stage.cast.town.kitchen_id, await item_on_menu(stage, is_available=True)))


@command("POST", "/kitchens/<kitchen_id:uuid>/items/<item_id:uuid>/back")
async def bring_back(stage: Stage) -> Ask:
    """A dish that is off."""
    return Ask(who=stage.cast.cook, ids=(stage.cast.town.kitchen_id, await item_on_menu(stage, is_available=False)))


@command("POST", "/positions")
async def send_position(stage: Stage) -> Ask:
    """One reading of a rider who works."""
    point = {"seq": stage.chance.randrange(2**40), "at": datetime.now(UTC).isoformat(), "lat": 12.9, "lon": 77.5}
    return Ask(who=stage.cast.as_person(await rider_on_shift(stage)), body={"points": [point]})


for name in ORDER_MOVES:
    _order_move(name)
for name in DELIVERY_MOVES:
    _delivery_move(name)
for name in ("start", "done", "check", "undo", "recall", "remake", "void"):
    _line_move(name)
for name in ("accept", "decline"):
    _offer_move(name)
for name in ("start", "break", "end"):
    _shift_move(name)
__all__ = ["COMMANDS"]
