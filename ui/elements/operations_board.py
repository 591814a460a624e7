"""The region at a glance: load, late orders, riders, what just happened."""

from __future__ import annotations

from nicegui.element import Element


class OperationsBoard(Element, component="operations_board.js"):
    """One region."""

    def __init__(self, *, hub_url: str, region: str) -> None:
        super().__init__()
        self._props.update({"hub-url": hub_url, "region": region})
