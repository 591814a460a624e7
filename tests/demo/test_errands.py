"""What a rider does next follows from the rows of the rider's own topic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.demo.actors.errands import ErrandKind, Standpoint, next_errand

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Standpoint(lat=52.5, lon=13.4, now=NOW)


def delivery(key: str, status: str, *, kitchen: str = "k1", north: float = 0.01, assigned: int = 0) -> dict[str, Any]:
    return {
        "id": key,
        "order_id": f"o-{key}",
        "kitchen_id": kitchen,
        "status": status,
        "assigned_at": (NOW + timedelta(seconds=assigned)).isoformat(),
        "pickup_lat": 52.5,
        "pickup_lon": 13.41,
        "drop_lat": 52.5 + north,
        "drop_lon": 13.4,
    }


def order(key: str, status: str, *, due_minutes: float = 0) -> dict[str, Any]:
    expected = (NOW + timedelta(minutes=due_minutes)).isoformat()
    return {"id": f"o-{key}", "status": status, "ready_expected_at": expected}


def errand(deliveries: list[dict[str, Any]], orders: list[dict[str, Any]] | None = None) -> tuple[str, str] | None:
    found = next_errand(deliveries, orders or [], HERE)
    return None if found is None else (found.kind, found.delivery["id"])


def test_nothing_to_do_is_no_errand() -> None:
    assert errand([delivery("a", "delivered"), delivery("b", "cancelled")]) is None


def test_the_oldest_assignment_is_fetched_first() -> None:
    assert errand([delivery("a", "assigned", assigned=9), delivery("b", "assigned", assigned=1)]) == (
        ErrandKind.FETCH,
        "b",
    )


def test_a_rider_waits_at_the_counter_and_takes_what_is_ready() -> None:
    waiting = [delivery("a", "at_kitchen")]
    assert errand(waiting, [order("a", "preparing")]) == (ErrandKind.WAIT, "a")
    assert errand(waiting, [order("a", "ready")]) == (ErrandKind.TAKE, "a")


def test_arrival_is_told_for_every_order_of_the_kitchen() -> None:
    both = [delivery("a", "at_kitchen"), delivery("b", "assigned", assigned=5)]
    assert errand(both, [order("a", "preparing"), order("b", "preparing")]) == (ErrandKind.FETCH, "b")


def test_food_in_the_bag_waits_only_for_what_is_due_soon() -> None:
    rows = [delivery("a", "picked_up"), delivery("b", "at_kitchen")]
    assert errand(rows, [order("b", "preparing", due_minutes=3)]) == (ErrandKind.WAIT, "b")
    assert errand(rows, [order("b", "preparing", due_minutes=30)]) == (ErrandKind.CARRY, "a")


def test_the_nearest_door_comes_first_and_a_door_is_finished_before_the_next() -> None:
    near, far = delivery("a", "picked_up", north=0.01), delivery("b", "picked_up", north=0.05)
    assert errand([far, near]) == (ErrandKind.CARRY, "a")
    assert errand([near, delivery("b", "at_door", north=0.05)]) == (ErrandKind.HAND_OVER, "b")


def test_what_is_in_the_bag_goes_before_another_kitchen() -> None:
    assert errand([delivery("a", "picked_up"), delivery("b", "assigned", kitchen="k2")]) == (ErrandKind.CARRY, "a")
