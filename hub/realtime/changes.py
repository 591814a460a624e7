"""A change on its way: from the change log and the stream to the frame that a topic's subscribers receive.

A topic's frame is encoded once per change and worker; the row is cut to what that kind of topic may see.
"""

from __future__ import annotations

from typing import Any

import orjson

from hub.domain.topics import TopicKind
from hub.domain.views import VIEWS, cut

# In Redis: state goes through the stream alone; the channel's messages may be lost.
STREAM = "hotpass:changes"
POSITIONS = "hotpass:positions"


class Change:
    """One change at its place `pos` in the total order; `places` are its (topic, offset, op)."""

    __slots__ = ("_cut", "_facts", "_row", "at", "entity", "entity_id", "event", "places", "pos", "row_text", "version")

    def __init__(
        self, pos: int, entity: str, entity_id: str, version: int, event: str, row_text: str | None, at: str,
        places: list[tuple[str, int, str]],
    ) -> None:  # fmt: skip
        self.pos = pos
        self.entity = entity
        self.entity_id = entity_id
        self.version = version
        self.event = event
        self.row_text = row_text
        self.at = at
        self.places = places
        self._facts = ""
        self._row: dict[str, Any] | None = None
        self._cut: dict[TopicKind, bytes] = {}

    @property
    def row(self) -> dict[str, Any]:
        """The whole row, as the house knows it. Empty when it was deleted."""
        if self._row is None:
            self._row = orjson.loads(self.row_text) if self.row_text is not None else {}
        return self._row

    def row_for(self, kind: TopicKind) -> bytes:
        """The row as JSON, cut to what a topic of `kind` may see."""
        seen = self._cut.get(kind)
        if seen is None:
            seen = self._cut[kind] = orjson.dumps(cut(self.entity, kind, self.row))
        return seen

    def body(self, topic: str, kind: TopicKind, epoch: int, offset: int, op: str) -> bytes | None:
        """The payload of `change` for one topic, as JSON; None when that kind of topic never sees the entity."""
        if kind not in VIEWS.get(self.entity, {}):
            return None
        if not self._facts:
            self._facts = f'"entity":"{self.entity}","id":"{self.entity_id}","version":{self.version},"op":"'
        place = f'{{"topic":"{topic}","epoch":{epoch},"offset":{offset},{self._facts}{op}"'.encode()
        row = b',"row":' + self.row_for(kind) if op == "put" else b""
        return b'%b%b,"event":"%b","at":"%b"}' % (place, row, self.event.encode(), self.at.encode())


def pack(changes: list[Change]) -> bytes:
    """A batch as the stream carries it."""
    return orjson.dumps(
        [[c.pos, c.entity, c.entity_id, c.version, c.event, c.row_text, c.at, c.places] for c in changes],
    )


def unpack(batch: bytes) -> list[Change]:
    """The batch that `pack` made."""
    return [Change(*fields) for fields in orjson.loads(batch)]


def from_log(record: Any) -> Change:
    """A row of `db.pipeline.LOG_AFTER`."""
    places = list(zip(record["topics"], record["offsets"], record["ops"], strict=True))
    return Change(
        record["pos"], record["entity"], record["entity_id"], record["version"], record["event"], record["row"],
        record["at"], places,
    )  # fmt: skip
