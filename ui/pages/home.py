"""`/` and `/home`: the screens that the signed-in person may open."""

from __future__ import annotations

from nicegui import ui

from ui.elements.doors import Doors
from ui.pages.frame import frame


def add(*, hub_url: str) -> None:
    """Put the page onto the server."""

    @ui.page("/")
    @ui.page("/home")
    def home(scheme: str | None = None) -> None:
        frame(style_sheet="home.css", scheme=scheme)
        Doors(hub_url=hub_url)
