"""The sign-in form."""

from __future__ import annotations

from nicegui.element import Element


class SignIn(Element, component="sign_in.js"):
    """`is_link_spent` tells that a demo link did not open the door."""

    def __init__(self, *, is_link_spent: bool) -> None:
        super().__init__()
        self._props["is-link-spent"] = is_link_spent
