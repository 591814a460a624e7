"""The moves of a delivery and of its offers, each one statement.

The order's row is locked first, then the delivery is compared and set, then offers, assignment and payment follow:
one order of locks everywhere. At most one rider can win, because the second one's compare finds another status.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Float,
    Text,
    and_,
    case,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
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


def _sources(name: str) -> tuple[Any, ...]:
    return tuple(source for move in DELIVERY.named(name) for source in move.sources)


def _locked(*conditions: ColumnElement[bool], delivery_id: Any = None) -> CTE:
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
        one_of(deliveries.c.status, _sources(name)),
        EXPECTED,
        MINE,
        happens(acting()),
        *conditions,
    )
    return change.values(status=target, **values).returning(deliveries).cte("moved")


def _answering(moved: CTE, *effects: CTE) -> Statement:
    return Statement(select(as_json(moved)).select_from(moved).add_cte(*effects, remembering(moved, as_json(moved))))


def _order(moved: CTE, **values: Any) -> CTE:
    return (
        update(orders).where(orders.c.id == moved.c.order_id).values(**values).returning(orders.c.id).cte("order_moved")
    )


def _released(moved: CTE, reason: Any = None) -> CTE:
    change = update(assignments).where(assignments.c.delivery_id == moved.c.id, assignments.c.ended_at.is_(None))
    return change.values(ended_at=product_now(), reason=reason).returning(assignments.c.id).cte("released")


def _assigned(moved: CTE) -> CTE:
    row = select(moved.c.id, moved.c.rider_id)
    return insert(assignments).from_select(["delivery_id", "rider_id"], row).returning(assignments.c.id).cte("assigned")


def _withdrawn(moved: CTE, *but: ColumnElement[bool]) -> CTE:
    change = update(offers).where(offers.c.delivery_id == moved.c.id, offers.c.state == OfferState.LIVE, *but)
    return change.values(state=OfferState.WITHDRAWN).returning(offers.c.id).cte("withdrawn")


def has_room(rider_id: Any) -> ColumnElement[bool]:
    """The rider carries less than the bag holds."""
    load = (
        select(func.count())
        .where(deliveries.c.rider_id == rider_id, one_of(deliveries.c.status, WITH_RIDER))
        .scalar_subquery()
    )
    return load < riders.c.capacity_orders


def _chosen(rider_id: Any) -> CTE:
    """The CTE `chosen`: the rider, locked, on shift and with room. The lock lets one offer win at a time."""
    found = select(riders.c.id, riders.c.name).where(
        riders.c.id == rider_id, riders.c.shift == ShiftState.ON, has_room(rider_id)
    )
    return found.with_for_update(key_share=True).cte("chosen")


def _assign() -> Statement:
    locked = _locked(one_of(orders.c.status, COOKED))
    rider = _chosen(given("rider_id", ID))
    moved = _moved(
        "assign", locked, rider.c.id.is_not(None), rider_id=rider.c.id, rider_name=rider.c.name, reason=null()
    )
    return _answering(moved, _order(moved, rider_id=moved.c.rider_id), _assigned(moved), _withdrawn(moved))


def _unassign() -> Statement:
    moved = _moved("unassign", _locked(), reason=given("reason"))
    return _answering(moved, _order(moved, rider_id=null()), _released(moved, given("reason")))


def _pick_up() -> Statement:
    locked = _locked(orders.c.status == OrderStatus.READY, orders.c.code == given("code"))
    moved = _moved("pick-up", locked)
    return _answering(moved, _order(moved, status=OrderStatus.OUT_FOR_DELIVERY))


def _deliver() -> Statement:
    """A right PIN or a reason; the exact cash or a reason."""
    explained = given("reason").is_not(None)
    locked = _locked(or_(orders.c.delivery_pin == given("pin"), explained))
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
    return _answering(moved, _order(moved, status=OrderStatus.DELIVERED), _released(moved), paid)


def _fail() -> Statement:
    moved = _moved("fail", _locked(), reason=given("reason"))
    return _answering(moved, _order(moved, status=OrderStatus.DELIVERY_FAILED, reason=given("reason")))


def _return() -> Statement:
    moved = _moved("return", _locked())
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
    return _answering(moved, back, released)


# Each by primary key; effects by orders_pk, assignment_one_active, offer_delivery, payment_once.
MOVES: dict[str, Statement] = {
    "assign": _assign(),
    "unassign": _unassign(),
    "arrive": _answering(_moved("arrive", _locked())),
    "pick-up": _pick_up(),
    "at-door": _answering(_moved("at-door", _locked())),
    "deliver": _deliver(),
    "fail": _fail(),
    "return": _return(),
}


def _offered_delivery() -> Any:
    return select(offers.c.delivery_id).where(offers.c.id == given("offer_id", ID)).scalar_subquery()


def _accept_offer() -> Statement:
    """The rider's own live, unexpired offer; the delivery still free; room in the bag. One of many racing riders wins."""
    locked = _locked(one_of(orders.c.status, COOKED), delivery_id=_offered_delivery())
    rider = _chosen(given("rider_id", ID))
    taken = update(deliveries).where(
        deliveries.c.order_id == locked.c.id, one_of(deliveries.c.status, _sources("assign"))
    )
    live = select(offers.c.id).where(
        offers.c.id == given("offer_id", ID),
        offers.c.rider_id == given("rider_id", ID),
        offers.c.state == OfferState.LIVE,
        offers.c.expires_at > product_now(),
    )
    mine = live.with_for_update().cte("mine")
    moved = (
        taken.where(rider.c.id.is_not(None), mine.c.id.is_not(None), happens(acting()))
        .values(status=DeliveryStatus.ASSIGNED, rider_id=rider.c.id, rider_name=rider.c.name)
        .returning(deliveries)
        .cte("moved")
    )
    won = (
        update(offers)
        .where(offers.c.id == given("offer_id", ID), offers.c.delivery_id == moved.c.id)
        .values(state=OfferState.ACCEPTED)
        .returning(offers)
        .cte("won")
    )
    others = _withdrawn(moved, offers.c.id != given("offer_id", ID))
    effects = (_order(moved, rider_id=moved.c.rider_id), _assigned(moved), others, remembering(won, as_json(won)))
    return Statement(select(as_json(won)).select_from(won).add_cte(*effects))


def _end_offer(state: OfferState, which: CTE | None = None) -> tuple[CTE, CTE]:
    """(ended, lapsed): offers that end, and their deliveries that wait again because no other offer of theirs lives."""
    chosen = (offers.c.id == which.c.id) if which is not None else (offers.c.id == given("offer_id", ID))
    mine = (
        true()
        if which is not None
        else and_(offers.c.rider_id == given("rider_id", ID), offers.c.state == OfferState.LIVE)
    )
    ended = (
        update(offers)
        .where(chosen, mine, happens(acting()))
        .values(state=state, reason=given("reason") if which is None else literal("no answer in time", Text))
        .returning(offers)
        .cte("ended")
    )
    other = offers.alias("other")
    alive = select(other.c.id).where(
        other.c.delivery_id == deliveries.c.id,
        other.c.state == OfferState.LIVE,
        other.c.id.not_in(select(ended.c.id)),
    )
    lapsed = (
        update(deliveries)
        .where(deliveries.c.id == ended.c.delivery_id, deliveries.c.status == DeliveryStatus.OFFERED, ~alive.exists())
        .values(status=DeliveryStatus.WAITING)
        .returning(deliveries.c.id)
        .cte("lapsed")
    )
    return ended, lapsed


_declined, _lapsed_by_decline = _end_offer(OfferState.DECLINED)
OFFER_MOVES: dict[str, Statement] = {
    "accept": _accept_offer(),
    "decline": Statement(
        select(as_json(_declined))
        .select_from(_declined)
        .add_cte(_lapsed_by_decline, remembering(_declined, as_json(_declined)))
    ),
}

_stale = (
    select(offers.c.id)
    .where(offers.c.state == OfferState.LIVE, offers.c.expires_at <= product_now())
    .limit(200)
    .with_for_update(skip_locked=True)
    .cte("stale")
)
_expired, _lapsed_by_expiry = _end_offer(OfferState.EXPIRED, _stale)
# The clock's own move, a batch at a time. Index offer_to_expire.
EXPIRE_OFFERS = Statement(select(_expired.c.id, _expired.c.delivery_id, _expired.c.rider_id).add_cte(_lapsed_by_expiry))


def _offer() -> Statement:
    """One offer of a waiting delivery to one rider on shift with room. Parameters: delivery_id, rider_id, seconds, approach_metres."""
    locked = select(orders.c.id, orders.c.ready_expected_at).where(
        orders.c.id
        == select(deliveries.c.order_id).where(deliveries.c.id == given("delivery_id", ID)).scalar_subquery(),
        one_of(orders.c.status, COOKED),
    )
    at_order = locked.with_for_update(key_share=True).cte("locked")
    rider = _chosen(given("rider_id", ID))
    moved = (
        update(deliveries)
        .where(
            deliveries.c.id == given("delivery_id", ID),
            deliveries.c.order_id == at_order.c.id,
            deliveries.c.status == DeliveryStatus.WAITING,
            rider.c.id.is_not(None),
            happens(acting()),
        )
        .values(status=DeliveryStatus.OFFERED)
        .returning(deliveries)
        .cte("moved")
    )
    copied = [
        "order_id",
        "order_code",
        "region",
        "kitchen_id",
        "fee_minor",
        "currency",
        "pickup_name",
        "pickup_lat",
        "pickup_lon",
        "drop_lat",
        "drop_lon",
        "distance_metres",
    ]
    row = select(
        moved.c.id, rider.c.id, literal(str(OfferState.LIVE), Text), given("approach_metres", offers.c.approach_metres.type),
        at_order.c.ready_expected_at, product_now() + literal_column("interval '1 second'") * given("seconds", Float(53)), *(moved.c[name] for name in copied),
    )  # fmt: skip
    names = ["delivery_id", "rider_id", "state", "approach_metres", "ready_expected_at", "expires_at", *copied]
    made = (
        insert(offers)
        .from_select(names, row.select_from(moved).join(rider, true()).join(at_order, true()))
        .returning(offers.c.id)
        .cte("made")
    )
    return Statement(select(made.c.id))


OFFER = _offer()
