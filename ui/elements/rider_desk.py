"""The rider's screen: offers with their countdown, deliveries step by step, the shift."""

from __future__ import annotations

from nicegui.element import Element


class RiderDesk(Element, component="rider_desk.js"):
    """For the person who is signed in."""

    def __init__(self, *, hub_url: str) -> None:
        super().__init__()
        self._props["hub-url"] = hub_url
