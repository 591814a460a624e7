"""The HTTP routes of order lines: every move of the table that a person makes."""

from __future__ import annotations

from typing import Any

from db import lines
from hub.domain.errors import Conflict
from hub.domain.line import LINE
from hub.domain.roles import Permission
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints, NoBody
from hub.gateway.moves import carry_out
from hub.gateway.reasons import Reason, trimmed
from hub.gateway.shapes import Row

ENDPOINTS = Endpoints("lines")
EXPLAINED = ("remake", "void")


def _not_cooked_now(_: dict[str, Any]) -> Conflict:
    return Conflict(
        "this order is not in the kitchen's hands: not accepted yet, or already gone", code="order.not_in_kitchen"
    )


def _add_move(move: str) -> None:
    body = Reason if move in EXPLAINED else NoBody
    permission = Permission(f"line.{move}")

    @ENDPOINTS.route(
        "POST",
        f"/lines/<line_id:uuid>/{move}",
        summary=f"{move.capitalize()} a line",
        permission=permission,
        body=body,
        answer={"line": Row("line")},
    )
    async def make_move(call: Call) -> Any:
        values: dict[str, Any] = {"reason": trimmed(call.body.reason)} if move in EXPLAINED else {}
        row = await carry_out(
            call,
            lines.MOVES[move],
            entity="line",
            move=move,
            machine=LINE,
            present=lines.LINE_ROW,
            unmet=_not_cooked_now,
            **values,
        )
        return {"line": seen_by(call.principal, "line", row)}


for name in lines.MOVES:
    _add_move(name)
