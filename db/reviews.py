"""Reviews of orders: which wait, and the two moves that decide one, each one statement.

The order's row is locked first, as for every move about that order, so that no kitchen accepts what is being refused.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, func, literal_column, or_, select, update

from db.context import acting, happens
from db.idempotency import remembering
from db.kitchens import kitchens
from db.metadata import ID, as_json, given, one_of, product_now, table
from db.order_moves import ending_effects
from db.orders import orders
from db.scope import within
from db.statement import Statement
from hub.domain.order import OrderStatus
from hub.domain.review import REVIEW, ReviewState

reviews = table(
    "review",
    ids="id order_id block_id kitchen_id decided_by",
    texts="order_code region kitchen_name customer_name currency reason state decision",
    bigints="total_minor version",
    times="created_at expires_at decided_at",
)
MINE = within(kitchen=reviews.c.kitchen_id, region=reviews.c.region)
VERSION = given("version", BigInteger)


def _decided(move: str, state: ReviewState) -> CTE:
    """The CTE `moved`: a review of a placed order, compared, set and returned."""
    order_id = select(reviews.c.order_id).where(reviews.c.id == given("review_id", ID)).scalar_subquery()
    locked = (
        select(orders.c.id)
        .where(orders.c.id == order_id, orders.c.status == OrderStatus.PLACED)
        .with_for_update(key_share=True)
        .cte("locked")
    )
    sources = tuple(source for one in REVIEW.named(move) for source in one.sources)
    change = update(reviews).where(
        reviews.c.id == given("review_id", ID),
        reviews.c.order_id == locked.c.id,
        one_of(reviews.c.state, sources),
        or_(VERSION.is_(None), reviews.c.version == VERSION),
        MINE,
        happens(acting()),
    )
    values = {"state": state, "decision": given("reason"), "decided_by": given("principal_id", ID)}
    return change.values(**values).returning(reviews).cte("moved")


def _approve() -> Statement:
    """The kitchen has its whole time to accept from now on."""
    moved = _decided("approve", ReviewState.APPROVED)
    lasting: Any = literal_column("interval '1 second'") * kitchens.c.accept_seconds
    released = (
        update(orders)
        .where(orders.c.id == moved.c.order_id, kitchens.c.id == moved.c.kitchen_id)
        .values(accept_by=func.greatest(orders.c.accept_by, product_now() + lasting))
        .returning(orders.c.id)
        .cte("released")
    )
    return _answering(moved, released)


def _refuse() -> Statement:
    """The order is rejected, with everything that hangs on it."""
    moved = _decided("refuse", ReviewState.REFUSED)
    rejected = (
        update(orders)
        .where(orders.c.id == moved.c.order_id)
        .values(status=OrderStatus.REJECTED, reason=given("told"))
        .returning(orders)
        .cte("rejected")
    )
    return _answering(moved, rejected, *ending_effects(rejected, given("told")))


def _answering(moved: CTE, *effects: CTE) -> Statement:
    return Statement(select(as_json(moved)).select_from(moved).add_cte(*effects, remembering(moved, as_json(moved))))


# review_pk, orders_pk; effects as those of an order's end
MOVES: dict[str, Statement] = {"approve": _approve(), "refuse": _refuse()}
# review_pk
REVIEW_ROW = Statement(select(as_json(reviews)).where(reviews.c.id == given("review_id", ID), MINE))


def _optional(column: Any, name: str) -> Any:
    return or_(given(name).is_(None), column == given(name))


# review_pk backwards (uuid7 follows time), filtered
REVIEW_PAGE = Statement(
    select(as_json(reviews))
    .where(
        MINE, _optional(reviews.c.state, "state"), or_(given("after", ID).is_(None), reviews.c.id < given("after", ID))
    )
    .order_by(reviews.c.id.desc())
    .limit(literal_column("201"))
)
