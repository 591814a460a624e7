"""The moves of an order: each one statement.

Compare-and-set on the order's row first (the lock that serialises everything about that order); lines, delivery,
payment, offers and the stored answer hang on what it returned. No row back means that nothing happened.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    and_,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from db.context import acting, happens
from db.deliveries import assignments, deliveries, offers
from db.idempotency import remembering
from db.metadata import ID, as_json, given, one_of, product_now
from db.orders import MINE, lines, orders, payments
from db.statement import Statement
from hub.domain.delivery import BEFORE_PICK_UP, DeliveryStatus, OfferState
from hub.domain.line import BEFORE_CHECKED, LineState
from hub.domain.order import IN_KITCHEN, ORDER, OrderStatus
from hub.domain.payment import PaymentState

EXPECTED = or_(given("version", BigInteger).is_(None), orders.c.version == given("version", BigInteger))


def sources_of(name: str) -> tuple[Any, ...]:
    """The states from which the order's move `name` may be made."""
    return tuple(source for move in ORDER.named(name) for source in move.sources)


def changed_order(condition: ColumnElement[bool], **values: Any) -> CTE:
    """The CTE `moved`: the order compared, set and returned. Parameters: order_id, version, reach, context."""
    change = update(orders).where(orders.c.id == given("order_id", ID), condition, EXPECTED, MINE, happens(acting()))
    return change.values(**values).returning(orders).cte("moved")


def answering(moved: CTE, *effects: CTE) -> Statement:
    """The statement that answers with the moved order as JSON text, stores that answer, and carries out `effects`."""
    return Statement(select(as_json(moved)).select_from(moved).add_cte(*effects, remembering(moved, as_json(moved))))


def ending_effects(moved: CTE, reason: Any) -> tuple[CTE, ...]:
    """What an order's end in the kitchen takes with it: lines, delivery, offers, assignment, payment."""
    voided = update(lines).where(lines.c.order_id == moved.c.id, one_of(lines.c.state, BEFORE_CHECKED))
    called_off = update(deliveries).where(
        deliveries.c.order_id == moved.c.id, one_of(deliveries.c.status, BEFORE_PICK_UP)
    )
    of_theirs = select(deliveries.c.id).where(deliveries.c.order_id == moved.c.id)
    withdrawn = update(offers).where(offers.c.delivery_id.in_(of_theirs), offers.c.state == OfferState.LIVE)
    released = update(assignments).where(assignments.c.ended_at.is_(None), assignments.c.delivery_id.in_(of_theirs))
    unpaid = update(payments).where(payments.c.order_id == moved.c.id, payments.c.state == PaymentState.DUE)
    return (
        voided.values(state=LineState.VOIDED, reason=reason).returning(lines.c.id).cte("voided"),
        called_off.values(status=DeliveryStatus.CANCELLED, reason=reason).returning(deliveries.c.id).cte("called_off"),
        withdrawn.values(state=OfferState.WITHDRAWN, reason=reason).returning(offers.c.id).cte("withdrawn"),
        released.values(ended_at=product_now(), reason=reason).returning(assignments.c.id).cte("released"),
        unpaid.values(state=PaymentState.VOID, reason=reason).returning(payments.c.id).cte("unpaid"),
    )


def _ending(name: str, target: OrderStatus, sources: tuple[Any, ...] | None = None) -> Statement:
    moved = changed_order(one_of(orders.c.status, sources or sources_of(name)), status=target, reason=given("reason"))
    return answering(moved, *ending_effects(moved, given("reason")))


def _ready() -> Statement:
    unfinished = exists().where(
        lines.c.order_id == orders.c.id, ~one_of(lines.c.state, (LineState.DONE, LineState.CHECKED, LineState.VOIDED))
    )
    moved = changed_order(and_(one_of(orders.c.status, sources_of("ready")), ~unfinished), status=OrderStatus.READY)
    checked = (
        update(lines)
        .where(lines.c.order_id == moved.c.id, lines.c.state == LineState.DONE)
        .values(state=LineState.CHECKED)
    )
    return answering(moved, checked.returning(lines.c.id).cte("checked"))


def _recall() -> Statement:
    moved = changed_order(
        one_of(orders.c.status, sources_of("recall")), status=OrderStatus.PREPARING, reason=given("reason")
    )
    opened = (
        update(lines)
        .where(lines.c.order_id == moved.c.id, lines.c.state == LineState.CHECKED)
        .values(state=LineState.DONE)
    )
    return answering(moved, opened.returning(lines.c.id).cte("opened"))


def _edit(**values: Any) -> Statement:
    return answering(changed_order(one_of(orders.c.status, IN_KITCHEN), **values))


def _later(column: Any) -> Any:
    return column + literal_column("interval '1 minute'") * given("minutes", Integer)


# Each by primary key; effects by order_line_order, delivery_once, offer_delivery, payment_once.
MOVES: dict[str, Statement] = {
    "accept": answering(changed_order(one_of(orders.c.status, sources_of("accept")), status=OrderStatus.ACCEPTED)),
    "reject": _ending("reject", OrderStatus.REJECTED),
    "cancel": _ending("cancel", OrderStatus.CANCELLED),
    "ready": _ready(),
    "recall": _recall(),
    "delay": _edit(
        promised_at=_later(orders.c.promised_at),
        ready_expected_at=_later(orders.c.ready_expected_at),
        reason=given("reason"),
    ),
    "amend": _edit(note=given("note")),
    "rush": _edit(is_rush=given("is_rush", Boolean)),
}
# A customer may cancel until the kitchen has accepted.
CANCEL_OWN = _ending("cancel", OrderStatus.CANCELLED, (OrderStatus.PLACED,))
# The clock's own move, a batch at a time. Index orders_accept_by.
_late = (
    select(orders.c.id)
    .where(orders.c.status == OrderStatus.PLACED, orders.c.accept_by < product_now())
    .order_by(orders.c.accept_by)
    .limit(100)
    .with_for_update(skip_locked=True)
    .cte("late")
)
_expired = (
    update(orders)
    .where(orders.c.id == _late.c.id, happens(acting()))
    .values(status=OrderStatus.EXPIRED, reason="the kitchen did not answer in time")
    .returning(orders)
    .cte("moved")
)
EXPIRE = Statement(select(_expired.c.id).add_cte(*ending_effects(_expired, "the kitchen did not answer in time")))
