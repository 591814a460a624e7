"""The moves of a delivery, each one statement; `db.offer_moves` builds on the same parts.

The order's row is locked first, then the delivery is compared and set, then offers, assignment and payment follow:
one order of locks everywhere. At most one rider can win, because the second one's compare finds another status.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    case,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from db.context import acting, happens
from db.deliveries import MINE, assignments, deliveries, offers
from db.idempotency import remembering
from db.metadata import ID, as_json, given, one_of, product_now
from db.orders import orders, payments
from db.riders import riders
from db.statement import Statement
from hub.domain.delivery import DELIVERY, WITH_RIDER, DeliveryStatus, OfferState, ShiftState
from hub.domain.order import OrderStatus
from hub.domain.payment import PaymentState

EXPECTED = or_(given("version", BigInteger).is_(None), deliveries.c.version == given("version", BigInteger))
COOKED = (OrderStatus.ACCEPTED, OrderStatus.PREPARING, OrderStatus.READY)


def sources_of(name: str) -> tuple[Any, ...]:
    """The states from which the delivery's move `name` may be made."""
    return tuple(source for move in DELIVERY.named(name) for source in move.sources)


def locked_order(*conditions: ColumnElement[bool], delivery_id: Any = None) -> CTE:
    """The CTE `locked`: the delivery's order, locked; further conditions are on that order's newest row."""
    wanted = given("delivery_id", ID) if delivery_id is None else delivery_id
    order_id = select(deliveries.c.order_id).where(deliveries.c.id == wanted).scalar_subquery()
    return select(orders.c.id).where(orders.c.id == order_id, *conditions).with_for_update(key_share=True).cte("locked")


def _moved(name: str, locked: CTE, *conditions: ColumnElement[bool], **values: Any) -> CTE:
    """The CTE `moved`: the delivery compared, set and returned."""
    moves = DELIVERY.named(name)
    target = case(*((one_of(deliveries.c.status, move.sources), str(move.target)) for move in moves))
    change = update(deliveries).where(
        deliveries.c.id == given("delivery_id", ID),
        deliveries.c.order_id == locked.c.id,
        one_of(deliveries.c.status, sources_of(name)),
        EXPECTED,
        MINE,
        happens(acting()),
        *conditions,
    )
    return change.values(status=target, **values).returning(deliveries).cte("moved")


def answering(moved: CTE, *effects: CTE) -> Statement:
    """The statement that answers with the moved row as JSON text, stores that answer, and carries out `effects`."""
    return Statement(select(as_json(moved)).select_from(moved).add_cte(*effects, remembering(moved, as_json(moved))))


def changed_order(moved: CTE, **values: Any) -> CTE:
    """The CTE that carries a moved delivery over to its order."""
    return (
        update(orders).where(orders.c.id == moved.c.order_id).values(**values).returning(orders.c.id).cte("order_moved")
    )


def _released(moved: CTE, reason: Any = None) -> CTE:
    change = update(assignments).where(assignments.c.delivery_id == moved.c.id, assignments.c.ended_at.is_(None))
    return change.values(ended_at=product_now(), reason=reason).returning(assignments.c.id).cte("released")


def assigned(moved: CTE) -> CTE:
    """The CTE that writes down who carries the moved delivery."""
    row = select(moved.c.id, moved.c.rider_id)
    return insert(assignments).from_select(["delivery_id", "rider_id"], row).returning(assignments.c.id).cte("assigned")


def withdrawn(moved: CTE, *but: ColumnElement[bool]) -> CTE:
    """The CTE that takes back the live offers of the moved delivery."""
    change = update(offers).where(offers.c.delivery_id == moved.c.id, offers.c.state == OfferState.LIVE, *but)
    return change.values(state=OfferState.WITHDRAWN).returning(offers.c.id).cte("withdrawn")


def has_room(rider_id: Any) -> ColumnElement[bool]:
    """The rider carries less than the bag holds."""
    load = (
        select(func.count())
        .where(
            deliveries.c.rider_id == rider_id,
            deliveries.c.archived_at.is_(None),  # for the index: what is with a rider is never archived
            one_of(deliveries.c.status, WITH_RIDER),
        )
        .scalar_subquery()
    )
    return load < riders.c.capacity_orders


def chosen_rider(rider_id: Any) -> CTE:
    """The CTE `chosen`: the rider, locked, on shift and with room. The lock lets one offer win at a time."""
    found = select(riders.c.id, riders.c.name).where(
        riders.c.id == rider_id, riders.c.shift == ShiftState.ON, has_room(rider_id)
    )
    return found.with_for_update(key_share=True).cte("chosen")


def _assign() -> Statement:
    locked = locked_order(one_of(orders.c.status, COOKED))
    rider = chosen_rider(given("rider_id", ID))
    moved = _moved(
        "assign", locked, rider.c.id.is_not(None), rider_id=rider.c.id, rider_name=rider.c.name, reason=null()
    )
    return answering(moved, changed_order(moved, rider_id=moved.c.rider_id), assigned(moved), withdrawn(moved))


def _unassign() -> Statement:
    moved = _moved("unassign", locked_order(), reason=given("reason"))
    return answering(moved, changed_order(moved, rider_id=null()), _released(moved, given("reason")))


def _pick_up() -> Statement:
    locked = locked_order(orders.c.status == OrderStatus.READY, orders.c.code == given("code"))
    moved = _moved("pick-up", locked)
    return answering(moved, changed_order(moved, status=OrderStatus.OUT_FOR_DELIVERY))


def _deliver() -> Statement:
    """A right PIN or a reason; the exact cash or a reason."""
    explained = given("reason").is_not(None)
    locked = locked_order(or_(orders.c.delivery_pin == given("pin"), explained))
    exact = func.coalesce(given("cash_minor", BigInteger), 0) == deliveries.c.cash_due_minor
    moved = _moved("deliver", locked, or_(exact, explained), reason=given("reason"))
    paid = (
        update(payments)
        .where(payments.c.order_id == moved.c.order_id, payments.c.state == PaymentState.DUE)
        .values(
            state=PaymentState.COLLECTED,
            collected_minor=func.coalesce(given("cash_minor", BigInteger), 0),
            reason=given("reason"),
        )
        .returning(payments.c.id)
        .cte("paid")
    )
    return answering(moved, changed_order(moved, status=OrderStatus.DELIVERED), _released(moved), paid)


def _fail() -> Statement:
    moved = _moved("fail", locked_order(), reason=given("reason"))
    return answering(moved, changed_order(moved, status=OrderStatus.DELIVERY_FAILED, reason=given("reason")))


def _return() -> Statement:
    moved = _moved("return", locked_order())
    back = (
        update(orders)
        .where(orders.c.id == moved.c.order_id, moved.c.status == DeliveryStatus.RETURNED)
        .values(status=OrderStatus.RETURNED)
        .returning(orders.c.id)
        .cte("order_moved")
    )
    released = (
        update(assignments)
        .where(
            assignments.c.delivery_id == moved.c.id,
            assignments.c.ended_at.is_(None),
            moved.c.status == DeliveryStatus.RETURNED,
        )
        .values(ended_at=product_now())
        .returning(assignments.c.id)
        .cte("released")
    )
    return answering(moved, back, released)


# Each by primary key; effects by orders_pk, assignment_one_active, offer_delivery, payment_once.
MOVES: dict[str, Statement] = {
    "assign": _assign(),
    "unassign": _unassign(),
    "arrive": answering(_moved("arrive", locked_order())),
    "pick-up": _pick_up(),
    "at-door": answering(_moved("at-door", locked_order())),
    "deliver": _deliver(),
    "fail": _fail(),
    "return": _return(),
}
