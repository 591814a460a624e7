"""The moves of an offer, each one statement, on the locks and parts of `db.delivery_moves`.

An offer ends in exactly one way, and its delivery waits again only when no other offer of it lives.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Float,
    Text,
    and_,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)

from db.context import acting, happens
from db.deliveries import deliveries, offers
from db.delivery_moves import COOKED, assigned, changed_order, chosen_rider, locked_order, sources_of, withdrawn
from db.idempotency import remembering
from db.metadata import ID, as_json, given, one_of, product_now
from db.orders import orders
from db.statement import Statement
from hub.domain.delivery import DeliveryStatus, OfferState

# What an offer tells of its delivery.
COPIED = (
    "order_id", "order_code", "region", "kitchen_id", "fee_minor", "currency", "pickup_name", "pickup_lat",
    "pickup_lon", "drop_lat", "drop_lon", "distance_metres",
)  # fmt: skip


VERSION = given("version", BigInteger)
EXPECTED = or_(VERSION.is_(None), offers.c.version == VERSION)


def _offered_delivery() -> Any:
    return select(offers.c.delivery_id).where(offers.c.id == given("offer_id", ID)).scalar_subquery()


def _kept_apart(rider_id: Any) -> Any:
    """True when a block keeps this rider and the delivery's customer apart."""
    return func.is_kept_apart(rider_id, deliveries.c.customer_id, type_=Boolean)


def _accept_offer() -> Statement:
    """The rider's own live, unexpired offer; the delivery still free; room in the bag. One racing rider wins."""
    locked = locked_order(one_of(orders.c.status, COOKED), delivery_id=_offered_delivery())
    rider = chosen_rider(given("rider_id", ID))
    taken = update(deliveries).where(
        deliveries.c.order_id == locked.c.id, one_of(deliveries.c.status, sources_of("assign"))
    )
    live = select(offers.c.id).where(
        offers.c.id == given("offer_id", ID),
        offers.c.rider_id == given("rider_id", ID),
        offers.c.state == OfferState.LIVE,
        offers.c.expires_at > product_now(),
        EXPECTED,
    )
    mine = live.with_for_update().cte("mine")
    moved = (
        taken.where(rider.c.id.is_not(None), mine.c.id.is_not(None), ~_kept_apart(rider.c.id), happens(acting()))
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
    others = withdrawn(moved, offers.c.id != given("offer_id", ID))
    effects = (changed_order(moved, rider_id=moved.c.rider_id), assigned(moved), others, remembering(won, as_json(won)))
    return Statement(select(as_json(won)).select_from(won).add_cte(*effects))


def _end_offer(state: OfferState, which: CTE | None = None) -> tuple[CTE, CTE]:
    """(ended, lapsed): offers that end, and their deliveries that wait again because no other offer of theirs lives."""
    chosen = (offers.c.id == which.c.id) if which is not None else (offers.c.id == given("offer_id", ID))
    mine = (
        true()
        if which is not None
        else and_(offers.c.rider_id == given("rider_id", ID), offers.c.state == OfferState.LIVE, EXPECTED)
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
MOVES: dict[str, Statement] = {
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
EXPIRE = Statement(select(_expired.c.id, _expired.c.delivery_id, _expired.c.rider_id).add_cte(_lapsed_by_expiry))


def _offer() -> Statement:
    """One offer of a waiting delivery to one rider on shift with room.

    Parameters: delivery_id, rider_id, seconds, approach_metres.
    """
    locked = select(orders.c.id, orders.c.ready_expected_at).where(
        orders.c.id
        == select(deliveries.c.order_id).where(deliveries.c.id == given("delivery_id", ID)).scalar_subquery(),
        one_of(orders.c.status, COOKED),
    )
    at_order = locked.with_for_update(key_share=True).cte("locked")
    rider = chosen_rider(given("rider_id", ID))
    moved = (
        update(deliveries)
        .where(
            deliveries.c.id == given("delivery_id", ID),
            deliveries.c.order_id == at_order.c.id,
            deliveries.c.status == DeliveryStatus.WAITING,
            rider.c.id.is_not(None),
            ~_kept_apart(rider.c.id),
            happens(acting()),
        )
        .values(status=DeliveryStatus.OFFERED)
        .returning(deliveries)
        .cte("moved")
    )
    lasting = literal_column("interval '1 second'") * given("seconds", Float(53))
    row = select(
        moved.c.id, rider.c.id, literal(str(OfferState.LIVE), Text),
        given("approach_metres", offers.c.approach_metres.type), at_order.c.ready_expected_at,
        product_now() + lasting, *(moved.c[name] for name in COPIED),
    )  # fmt: skip
    names = ["delivery_id", "rider_id", "state", "approach_metres", "ready_expected_at", "expires_at", *COPIED]
    made = (
        insert(offers)
        .from_select(names, row.select_from(moved).join(rider, true()).join(at_order, true()))
        .returning(offers.c.id)
        .cte("made")
    )
    return Statement(select(made.c.id))


OFFER = _offer()
