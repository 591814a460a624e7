"""Every fact that the live hub can tell, by name: a move's event, or `<entity>.changed` for any other change."""

from __future__ import annotations

from hub.domain.delivery import DELIVERY, OFFER, SHIFT
from hub.domain.line import LINE
from hub.domain.move import Machine
from hub.domain.order import ORDER
from hub.domain.payment import PAYMENT
from hub.domain.review import REVIEW
from hub.domain.session import SESSION

MACHINES: tuple[Machine, ...] = (ORDER, LINE, DELIVERY, OFFER, SHIFT, PAYMENT, SESSION, REVIEW)

# The column that holds a machine's state in its table.
STATE_COLUMN = {
    "order": "status",
    "line": "state",
    "delivery": "status",
    "offer": "state",
    "rider": "shift",
    "payment": "state",
    "session": "state",
    "review": "state",
}


def legal_moves() -> list[tuple[str, str, str, str, str]]:
    """Rows (entity, source, target, move, event) of the database's table of legal moves.

    A pair (source, target) that several moves share appears once, under the first of them. Birth has an empty source.
    """
    rows: dict[tuple[str, str, str], tuple[str, str, str, str, str]] = {}
    for machine in MACHINES:
        birth = (machine.entity, "", str(machine.initial))
        rows[birth] = (*birth, machine.birth, f"{machine.entity}.{'placed' if machine is ORDER else 'created'}")
        for source, target, move, event in machine.edges():
            rows.setdefault((machine.entity, source, target), (machine.entity, source, target, move, event))
    return list(rows.values())


def event_names(entities: tuple[str, ...]) -> tuple[str, ...]:
    """Every event name that may appear in a `change`, sorted."""
    names = {event for *_, event in legal_moves()}
    for entity in entities:
        names |= {f"{entity}.created", f"{entity}.changed", f"{entity}.deleted"}
    return tuple(sorted(names))
