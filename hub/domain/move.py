"""What a move is: the one shape in which every state machine of the house is written down.

The route, the service's check, the database's table of legal moves, the buttons and the event names all derive from
these rows. A machine never lists the same (source, target) with two events: the database names the event by that pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One legal move: from any of `sources` to `target`; `event` is the past fact that it makes."""

    name: str
    sources: tuple[StrEnum, ...]
    target: StrEnum
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A state machine as data. `entity` is its word in topics, errors and the legal moves; `birth` makes one."""

    entity: str
    initial: StrEnum
    birth: str
    moves: tuple[Move, ...]

    def named(self, name: str) -> tuple[Move, ...]:
        """Every move called `name`; empty when the machine has none. A name may have several targets (undo)."""
        return tuple(move for move in self.moves if move.name == name)

    def legal_from(self, status: str) -> tuple[str, ...]:
        """Names of the moves that may leave `status`, in table order, each once."""
        return tuple(dict.fromkeys(move.name for move in self.moves if status in move.sources))

    def edges(self) -> Iterable[tuple[str, str, str, str]]:
        """Every (source, target, move, event) of the machine: the rows of the database's table of legal moves."""
        for move in self.moves:
            for source in move.sources:
                yield str(source), str(move.target), move.name, move.event
