"""The HTTP routes of reviews: orders of people under `review` wait here for somebody with the right to decide."""

from __future__ import annotations

from typing import Any

import msgspec

from db import reviews
from db.scope import reach_values
from hub.domain.review import REVIEW, ReviewState
from hub.domain.roles import Permission
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints
from hub.gateway.moves import carry_out, decode
from hub.gateway.paging import Page, filters_of, page_of
from hub.gateway.reasons import Reason, trimmed
from hub.gateway.shapes import NEXT, Row

ENDPOINTS = Endpoints("reviews")
# What the customer and the kitchen are told of a refusal: never the reason of the block.
REFUSED = "the order was refused after a review"


class ReviewFilter(Page, frozen=True):
    """Which reviews."""

    state: ReviewState | None = None


@ENDPOINTS.route(
    "GET",
    "/reviews",
    summary="List reviews",
    permission=Permission.ORDER_REVIEW,
    query=ReviewFilter,
    answer={"reviews": [Row("review")], "next": NEXT},
)
async def list_reviews(call: Call) -> Any:
    """`{reviews, next}`, newest first; live in the topics of the region and, without the reason, of the kitchen."""
    async with call.house.database.connection() as conn:
        rows = await reviews.REVIEW_PAGE.rows(conn, **reach_values(call.reach), **filters_of(call))
    page, following = page_of([decode(row[0]) for row in rows], call.query.limit)
    return {"reviews": [seen_by(call.principal, "review", row) for row in page], "next": following}


def _add_move(move: str, summary: str, **values: Any) -> None:
    @ENDPOINTS.route(
        "POST",
        f"/reviews/<review_id:uuid>/{move}",
        summary=summary,
        permission=Permission.ORDER_REVIEW,
        body=Reason,
        answer={"review": Row("review")},
    )
    async def decide(call: Call) -> Any:
        row = await carry_out(
            call,
            reviews.MOVES[move],
            entity="review",
            move=move,
            machine=REVIEW,
            present=reviews.REVIEW_ROW,
            reason=trimmed(msgspec.structs.asdict(call.body)["reason"]),
            **values,
        )
        return {"review": seen_by(call.principal, "review", row)}


_add_move("approve", "Let an order go to its kitchen")
_add_move("refuse", "Refuse an order", told=REFUSED)
