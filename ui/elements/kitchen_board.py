"""The kitchen board: tickets, oldest promise first."""

from __future__ import annotations

from nicegui.element import Element


class KitchenBoard(Element, component="kitchen_board.js"):
    """One kitchen; `station` is a station's code or empty for all, `mode` is station or expediter."""

    def __init__(self, *, hub_url: str, kitchen_id: str, station: str, mode: str) -> None:
        super().__init__()
        self._props.update({"hub-url": hub_url, "kitchen-id": kitchen_id, "station": station, "mode": mode})
