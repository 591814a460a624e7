"""The HTTP routes of order lines: every move of the table that a person makes."""

from __future__ import annotations

from typing import Any

import msgspec

from db import lines
from hub.domain.errors import Unprocessable
from hub.domain.line import LINE
from hub.domain.roles import Permission
from hub.gateway.answers import seen_by
from hub.gateway.endpoint import Call, Endpoints, NoBody
from hub.gateway.moves import carry_out

ENDPOINTS = Endpoints("lines")
LONGEST_REASON = 300


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """A move that must say why."""

    reason: str


EXPLAINED = ("remake", "void")


def _add_move(move: str) -> None:
    body = Reason if move in EXPLAINED else NoBody
    permission = Permission(f"line.{move}")

    @ENDPOINTS.route(
        "POST", f"/lines/<line_id:uuid>/{move}", summary=f"{move.capitalize()} a line", permission=permission, body=body
    )
    async def make_move(call: Call) -> Any:
        values: dict[str, Any] = {}
        if move in EXPLAINED:
            values["reason"] = call.body.reason.strip()
            if not 1 <= len(values["reason"]) <= LONGEST_REASON:
                raise Unprocessable(
                    f"a reason has 1 to {LONGEST_REASON} characters", code="body.invalid", path="$.reason"
                )
        row = await carry_out(
            call,
            lines.MOVES[move],
            entity="line",
            move=move,
            machine=LINE,
            present=lines.LINE_ROW,
            **values,
        )
        return {"line": seen_by(call.principal, "line", row)}


for name in lines.MOVES:
    _add_move(name)
