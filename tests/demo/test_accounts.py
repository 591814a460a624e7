"""Every order of a day is in exactly one fate."""

from __future__ import annotations

from typing import Any

from hub.demo.accounts import Accounts


def row(key: str, status: str, **times: str) -> dict[str, Any]:
    return {"id": key, "status": status, "reason": None, **times}


def test_every_order_is_accounted_for() -> None:
    accounts = Accounts()
    for key in "abcde":
        accounts.expect(key)
    for key in "abc":
        accounts.placed(key, row(key, "placed"))
    accounts.told("a", row("a", "delivered"))
    accounts.told("b", row("b", "cancelled"))
    accounts.refused("d", "kitchen.closed")
    assert accounts.fates() == {
        "delivered": 1,
        "cancelled": 1,
        "undelivered: placed at the end": 1,
        "refused: kitchen.closed": 1,
        "not placed before the end": 1,
    }
    assert (accounts.placed_count, accounts.delivered_count, accounts.open_count) == (3, 1, 1)
    assert accounts.unfinished_count == 2  # one is still placed, one was never ordered


def test_minutes_are_product_minutes_of_orders_that_had_both_moments() -> None:
    accounts = Accounts()
    for key, delivered in (("a", "12:30"), ("b", "12:50")):
        times = {"placed_at": "2026-03-01T12:00:00+00:00", "delivered_at": f"2026-03-01T{delivered}:00+00:00"}
        accounts.placed(key, row(key, "delivered", **times))
    accounts.placed("c", row("c", "placed", placed_at="2026-03-01T12:00:00+00:00"))
    minutes = accounts.minutes("placed_at", "delivered_at")
    assert minutes is not None
    assert minutes["mean"] == 40
    assert accounts.minutes("ready_at", "delivered_at") is None
