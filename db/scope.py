"""Which rows a principal may touch, said inside the statement: what lies outside is as if it did not exist.

The parameters are those of `hub.domain.roles.Reach`: `everywhere`, `kitchen_ids`, `regions`, `owner_id`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, and_, any_, literal_column, or_
from sqlalchemy.sql import ColumnElement

from db.metadata import ID, IDS, TEXTS, given
from hub.domain.roles import Reach


def within(*, kitchen: Any, region: Any, owners: tuple[Any, ...] = ()) -> ColumnElement[bool]:
    """The condition over the columns that place a row; `owners` are columns that hold a person's id."""
    conditions = [
        given("everywhere", Boolean),
        kitchen == any_(given("kitchen_ids", IDS)),
        region == any_(given("regions", TEXTS)),
    ]
    nobody = and_(given("owner_id", ID).is_not(None), literal_column("false", Boolean))
    conditions += [owner == given("owner_id", ID) for owner in owners] or [nobody]
    return or_(*conditions)


def reach_values(reach: Reach) -> dict[str, Any]:
    """The parameters of `within()`."""
    return {
        "everywhere": reach.everywhere,
        "kitchen_ids": list(reach.kitchen_ids),
        "regions": list(reach.regions),
        "owner_id": reach.owner_id,
    }
