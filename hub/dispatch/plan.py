"""The plan: each ready-soon delivery to the nearest free rider. Pure; replaced as a whole by a better policy.

Greedy in the order given (soonest ready first): O(deliveries × riders). A pair is taboo after a decline or a silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.domain.geo import distance_metres


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery that waits; places in degrees. `taboo` are riders not to be asked now."""

    delivery_id: str
    pickup_lat: float
    pickup_lon: float
    ready_in_seconds: float
    taboo: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """A rider who can be sent, and where."""

    rider_id: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One delivery for one rider, who is so far from the kitchen."""

    delivery_id: str
    rider_id: str
    approach_metres: float


def nearest_free(waiting: Sequence[Waiting], free: Sequence[Free], *, horizon_seconds: float) -> list[Choice]:
    """Match deliveries that are ready within the horizon with the nearest riders; each rider at most once."""
    left = list(free)
    choices = []
    for delivery in waiting:
        if delivery.ready_in_seconds > horizon_seconds:
            continue
        able = [rider for rider in left if rider.rider_id not in delivery.taboo]
        if not able:
            continue
        best = min(able, key=lambda rider: (_approach(delivery, rider), rider.rider_id))
        left.remove(best)
        choices.append(
            Choice(delivery_id=delivery.delivery_id, rider_id=best.rider_id, approach_metres=_approach(delivery, best))
        )
    return choices


def _approach(delivery: Waiting, rider: Free) -> float:
    return distance_metres(delivery.pickup_lat, delivery.pickup_lon, rider.lat, rider.lon)
