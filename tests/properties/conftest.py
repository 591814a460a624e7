"""The hub of `tests/auth`, for the matrix of who may do what."""

from __future__ import annotations

import pytest

from db.connection import Database
from tests.auth.conftest import api, hub_database, hub_url, new_person

__all__ = ["api", "database", "hub_database", "hub_url", "new_person"]


@pytest.fixture
def database(hub_database: Database) -> Database:
    """People are added to the hub's own database."""
    return hub_database
