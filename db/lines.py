"""The moves of an order line: lock the order, compare and set the line; the order's own state is derived by trigger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, case, or_, select, update

from db.context import acting, happens
from db.idempotency import remembering
from db.metadata import ID, as_json, given, one_of, product_now
from db.orders import MINE, lines, orders
from db.statement import Statement
from hub.domain.line import LINE, LineState

_order_id = select(lines.c.order_id).where(lines.c.id == given("line_id", ID)).scalar_subquery()
# An order that has left the kitchen keeps its lines as they are.
_OPEN = ("accepted", "preparing", "ready")


def _move(name: str, **values: Any) -> Statement:
    locked = (
        select(orders.c.id)
        .where(orders.c.id == _order_id, MINE, one_of(orders.c.status, _OPEN))
        .with_for_update(key_share=True)
    )
    at_order = locked.cte("locked")
    moves = LINE.named(name)
    target = case(*((one_of(lines.c.state, move.sources), str(move.target)) for move in moves))
    change = update(lines).where(
        lines.c.id == given("line_id", ID),
        lines.c.order_id == at_order.c.id,
        one_of(lines.c.state, tuple(source for move in moves for source in move.sources)),
        or_(given("version", BigInteger).is_(None), lines.c.version == given("version", BigInteger)),
        happens(acting()),
    )
    moved = change.values(state=target, **values).returning(lines).cte("moved")
    return Statement(select(as_json(moved)).select_from(moved).add_cte(remembering(moved, as_json(moved))))


# primary keys
MOVES: dict[str, Statement] = {
    "start": _move("start"),
    "done": _move("done"),
    "check": _move("check"),
    "undo": _move("undo"),
    "recall": _move("recall"),
    "remake": _move("remake", reason=given("reason")),
    "void": _move("void", reason=given("reason")),
}
# primary keys
LINE_ROW = Statement(
    select(as_json(lines)).where(lines.c.id == given("line_id", ID), lines.c.order_id == orders.c.id, MINE)
)
# The clock's own move, a batch at a time: due lines of orders that the kitchen took. Index order_line_to_fire.
_due = (
    select(lines.c.id)
    .where(
        one_of(lines.c.state, (LineState.HELD, LineState.REMAKE)),
        lines.c.archived_at.is_(None),
        lines.c.fire_at <= product_now(),
        lines.c.order_id == orders.c.id,
        one_of(orders.c.status, _OPEN),
    )
    .order_by(lines.c.fire_at)
    .limit(500)
    .with_for_update(of=lines, skip_locked=True)
    .cte("due")
)
FIRE = Statement(update(lines).where(lines.c.id == _due.c.id, happens(acting())).values(state=LineState.FIRED))
