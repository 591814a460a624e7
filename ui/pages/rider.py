"""`/rider`: offers, deliveries and the shift of the signed-in rider."""

from __future__ import annotations

from nicegui import ui

from ui.elements.rider_desk import RiderDesk
from ui.pages.frame import frame


def add(*, hub_url: str) -> None:
    """Put the page onto the server."""

    @ui.page("/rider", title="Rider · Hotpass")
    def rider(scheme: str | None = None) -> None:
        frame(style_sheet="rider.css", scheme=scheme)
        RiderDesk(hub_url=hub_url)
