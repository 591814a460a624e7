"""The order line, what a station cooks: its states and moves.

held ─fire─► fired ─start─► cooking ─done─► done ─check─► checked
              ▲──undo────────┘ ▲──undo──────┘ ▲──undo──────┘
done, checked ─remake─► remake ─fire─► fired          void: from anything before checked
"""

from __future__ import annotations

from enum import StrEnum

from hub.domain.move import Machine, Move


class LineState(StrEnum):
    """Where a line stands."""

    HELD = "held"
    FIRED = "fired"
    COOKING = "cooking"
    DONE = "done"
    CHECKED = "checked"
    REMAKE = "remake"
    VOIDED = "voided"


S = LineState
FINISHED = (S.CHECKED, S.VOIDED)
BEFORE_CHECKED = (S.HELD, S.FIRED, S.COOKING, S.DONE, S.REMAKE)

LINE = Machine(
    entity="line",
    initial=S.HELD,
    birth="place",
    moves=(
        Move(name="fire", sources=(S.HELD, S.REMAKE), target=S.FIRED, event="line.fired"),
        Move(name="start", sources=(S.FIRED,), target=S.COOKING, event="line.started"),
        Move(name="done", sources=(S.COOKING,), target=S.DONE, event="line.done"),
        Move(name="check", sources=(S.DONE,), target=S.CHECKED, event="line.checked"),
        Move(name="undo", sources=(S.COOKING,), target=S.FIRED, event="line.undone"),
        Move(name="undo", sources=(S.DONE,), target=S.COOKING, event="line.undone"),
        Move(name="undo", sources=(S.CHECKED,), target=S.DONE, event="line.undone"),
        Move(name="recall", sources=(S.CHECKED,), target=S.DONE, event="line.undone"),
        Move(name="remake", sources=(S.DONE, S.CHECKED), target=S.REMAKE, event="line.remade"),
        Move(name="void", sources=BEFORE_CHECKED, target=S.VOIDED, event="line.voided"),
    ),
)
