"""`/login`: a phone and a code, or a password for staff; or what to do in a demo."""

from __future__ import annotations

from nicegui import ui

from ui.elements.sign_in import SignIn
from ui.pages.frame import frame


def add(*, hub_url: str) -> None:
    """Put the page onto the server. The form talks to this server only, never to `hub_url`."""

    @ui.page("/login", title="Sign in · Hotpass")
    def login(told: str = "", scheme: str | None = None) -> None:
        frame(style_sheet="home.css", scheme=scheme)
        SignIn(is_link_spent=told == "link")
