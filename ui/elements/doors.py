"""The doors that stand open to the signed-in person."""

from __future__ import annotations

from nicegui.element import Element


class Doors(Element, component="doors.js"):
    """Links by role."""

    def __init__(self, *, hub_url: str) -> None:
        super().__init__()
        self._props["hub-url"] = hub_url
