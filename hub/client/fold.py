"""The keyed state of one topic, folded from a snapshot and the changes after it, and an independent count of faults.

The hub promises offsets 1, 2, 3, … in that order, each once, and versions that rise per entity. A fold believes none
of it: it counts every breach. `lost` are holes in the offsets and the way left to the head at a final fence;
`duplicated` an offset that came twice; `reordered` one that came after a higher one; `version_falls` an entity whose
version did not rise along the offsets. Rows obey the version rule whatever happens: the highest version stays,
tombstones included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Self

import msgspec

Key = tuple[str, str]
Row = dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One `change` frame. `row` is None for `out` and `delete`; `at` is the database's real time of the change."""

    topic: str
    epoch: int | str
    offset: int
    entity: str
    id: str
    version: int
    op: str
    event: str | None = None
    at: str | None = None
    row: Row | None = None


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a snapshot, or of its `gone` list when `row` is None."""

    entity: str
    id: str
    version: int
    row: Row | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a fold, or many of them, received and what was wrong with it."""

    applied: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    version_falls: int = 0
    mixed_epochs: int = 0
    after_revocation: int = 0
    mismatched: int = 0
    snapshots: int = 0
    replays: int = 0
    healed: int = 0
    skipped: int = 0

    def __iadd__(self, other: Tally) -> Self:
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))
        return self

    @property
    def is_clean(self) -> bool:
        """True when no promise was broken."""
        breaches = (self.lost, self.duplicated, self.reordered, self.version_falls, self.mixed_epochs)
        return not any((*breaches, self.after_revocation, self.mismatched))


@dataclass(slots=True)
class TopicFold:
    """The state of one topic at `offset` of `epoch`; `held[entity, id]` is (version, row), row None for a tombstone."""

    topic: str
    epoch: int | str | None = None
    offset: int = 0
    head: int = 0
    is_revoked: bool = False
    held: dict[Key, tuple[int, Row | None]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    _sequenced: dict[Key, int] = field(default_factory=dict)
    _missing: set[int] = field(default_factory=set)

    @property
    def resume_offset(self) -> int:
        """The last offset up to which nothing is missing: where to resume from."""
        return min(self._missing) - 1 if self._missing else self.offset

    def row(self, entity: str, entity_id: str) -> Row | None:
        """The row held, or None when it is unknown or gone."""
        return self.held.get((entity, entity_id), (0, None))[1]

    def rows(self, entity: str) -> list[Row]:
        """Every row held of one entity."""
        return [row for (name, _), (_, row) in self.held.items() if name == entity and row is not None]

    def versions(self) -> dict[Key, int]:
        """The version of every row that is present: what two clients at the same offset must agree on."""
        return {key: version for key, (version, row) in self.held.items() if row is not None}

    def snapshot(self, epoch: int | str, offset: int, rows: Iterable[Present], gone: Iterable[Present]) -> None:
        """Start anew from a whole state. Going back within one epoch is counted as reordered."""
        self.tally.snapshots += 1
        if epoch == self.epoch:
            self.tally.reordered += offset < self.offset
            self.tally.skipped += max(0, offset - self.offset)
        self.epoch, self.offset, self.head = epoch, offset, max(offset, self.head if epoch == self.epoch else 0)
        self._missing.clear()
        self._sequenced.clear()
        self.held = {(one.entity, one.id): (one.version, one.row) for one in rows}
        for one in gone:
            self._keep((one.entity, one.id), one.version, None)

    def replay(self, epoch: int | str, offset: int, changes: Iterable[Change]) -> None:
        """Take the changes that a resumed subscription answers; afterwards nothing up to `offset` may be missing."""
        self.tally.replays += 1
        for change in changes:
            if change.offset in self._missing:
                self._missing.discard(change.offset)
                self.tally.healed += 1
                self._apply(change, is_late=True)
            elif change.offset > self.offset or change.epoch != self.epoch:
                self.change(change)
        if epoch != self.epoch:
            self.tally.mixed_epochs += 1
        self.reach(offset)

    def change(self, change: Change) -> bool:
        """Take one live change; True when it was applied."""
        if self.is_revoked:
            self.tally.after_revocation += 1
            return False
        if change.epoch != self.epoch:
            self.tally.mixed_epochs += 1
            return False
        if change.offset > self.offset:
            self.reach(change.offset - 1)
            self.offset = change.offset
            self.head = max(self.head, change.offset)
            return self._apply(change, is_late=False)
        if change.offset not in self._missing:
            self.tally.duplicated += 1
            return False
        self._missing.discard(change.offset)
        self.tally.lost -= 1
        self.tally.reordered += 1
        return self._apply(change, is_late=True)

    def reach(self, offset: int) -> None:
        """Count every offset up to `offset` that has not come as lost: a gap, a replay cut short, or a final fence."""
        if offset > self.offset:
            self.tally.lost += offset - self.offset
            self._missing.update(range(self.offset + 1, offset + 1))
            self.offset = offset

    @property
    def has_gap(self) -> bool:
        """True while an offset below the present one is missing."""
        return bool(self._missing)

    def learn(self, entity: str, row: Row) -> None:
        """Take in a row that an HTTP answer told, by the version rule; the offsets are not touched."""
        self._keep((entity, row["id"]), row["version"], (self.row(entity, row["id"]) or {}) | row)

    def _apply(self, change: Change, *, is_late: bool) -> bool:
        key = (change.entity, change.id)
        self.tally.applied += 1
        if not is_late:
            self.tally.version_falls += change.version <= self._sequenced.get(key, 0)
            self._sequenced[key] = change.version
        self._keep(key, change.version, change.row if change.op == "put" else None)
        return True

    def _keep(self, key: Key, version: int, row: Row | None) -> None:
        if version > self.held.get(key, (0, None))[0]:
            self.held[key] = (version, row)
