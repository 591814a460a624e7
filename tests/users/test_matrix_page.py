"""The page that tells who may do what is the one that the code makes."""

from __future__ import annotations

from pathlib import Path

from hub.app import NOUNS
from hub.users.matrix import page

PAGE = Path(__file__).parents[2] / "deploy" / "roles.md"


def test_the_page_of_roles_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page([route for noun in NOUNS for route in noun.routes]), (
        "make it anew: hotpass users roles > deploy/roles.md"
    )
