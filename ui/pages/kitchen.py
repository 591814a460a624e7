"""`/kitchen/<id>`: the kitchen board, for one station or for the expediter at the pass."""

from __future__ import annotations

from uuid import UUID

from nicegui import ui

from ui.elements.kitchen_board import KitchenBoard
from ui.pages.frame import frame


def add(*, hub_url: str) -> None:
    """Put the page onto the server."""

    @ui.page("/kitchen/{kitchen_id}", title="Kitchen · Hotpass")
    def kitchen(kitchen_id: UUID, station: str = "", mode: str = "station", scheme: str = "dark") -> None:
        frame(style_sheet="kitchen.css", scheme=scheme)
        KitchenBoard(
            hub_url=hub_url,
            kitchen_id=str(kitchen_id),
            station=station[:32],
            mode="expediter" if mode == "expediter" else "station",
        )
