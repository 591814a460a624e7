"""`/operations/<region>`: every kitchen, order and rider of a region, live."""

from __future__ import annotations

from nicegui import ui

from hub.domain.topics import REGION
from ui.elements.operations_board import OperationsBoard
from ui.pages.frame import frame


def add(*, hub_url: str) -> None:
    """Put the page onto the server."""

    @ui.page("/operations/{region}", title="Operations · Hotpass")
    def operations(region: str, scheme: str | None = None) -> None:
        frame(style_sheet="operations.css", scheme=scheme)
        if REGION.match(region):
            OperationsBoard(hub_url=hub_url, region=region)
        else:
            ui.label("There is no such region.")
