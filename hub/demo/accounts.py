"""What became of every order of a day: no order may vanish from the account, whatever dies meanwhile.

waiting ─► placed ─► delivered | rejected | expired | cancelled | returned
   └─► refused (the hub answered with a refusal) | unreachable | not placed before the end
An order that was placed and has not ended when the run ends is undelivered, with its last status as the reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean, quantiles
from typing import Any

ENDS = frozenset({"delivered", "rejected", "expired", "cancelled", "returned"})


@dataclass(slots=True)
class Account:
    """One order: its id once it is placed, its last known status, why it did not go on, and its moments."""

    order_id: str | None = None
    status: str = "waiting"
    reason: str = ""
    moments: dict[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class Accounts:
    """The account of every order, by the day's key."""

    orders: dict[str, Account] = field(default_factory=dict)
    troubles: Counter[str] = field(default_factory=Counter)

    def expect(self, key: str) -> None:
        """An order of the day that must be accounted for."""
        self.orders.setdefault(key, Account())

    def placed(self, key: str, order: dict[str, Any]) -> None:
        """The hub took the order."""
        account = self.orders.setdefault(key, Account())
        account.order_id = order["id"]
        self.told(key, order)

    def refused(self, key: str, code: str) -> None:
        """The order was not placed."""
        account = self.orders.setdefault(key, Account())
        account.status, account.reason = "refused", code

    def told(self, key: str, order: dict[str, Any]) -> None:
        """What the customer's own topic tells about the order."""
        account = self.orders[key]
        account.status, account.reason = order["status"], order.get("reason") or account.reason
        for name in ("placed_at", "ready_at", "picked_up_at", "delivered_at"):
            if order.get(name):
                account.moments[name] = datetime.fromisoformat(order[name])

    def trouble(self, where: str, code: str) -> None:
        """Something an actor could not do; counted, so that it shows in the report."""
        self.troubles[f"{where}: {code}"] += 1

    @property
    def placed_count(self) -> int:
        """Orders that the hub took."""
        return sum(account.order_id is not None for account in self.orders.values())

    @property
    def delivered_count(self) -> int:
        """Orders that reached the door."""
        return sum(account.status == "delivered" for account in self.orders.values())

    @property
    def open_count(self) -> int:
        """Orders that were placed and have not ended."""
        return sum(account.order_id is not None and account.status not in ENDS for account in self.orders.values())

    @property
    def unfinished_count(self) -> int:
        """Orders of the day that came to no end: neither delivered nor ended otherwise, nor refused for a reason."""
        return sum(
            account.status not in ENDS and not (account.status == "refused" and account.reason)
            for account in self.orders.values()
        )

    def fates(self) -> dict[str, int]:
        """Fate → how many; every order is in exactly one."""
        return dict(Counter(_fate(account) for account in self.orders.values()).most_common())

    def minutes(self, start: str, end: str) -> dict[str, float] | None:
        """Mean, p50 and p90 of product minutes between two moments of the orders that had both; None without any."""
        values = [
            (account.moments[end] - account.moments[start]).total_seconds() / 60
            for account in self.orders.values()
            if start in account.moments and end in account.moments
        ]
        if not values:
            return None
        cuts = quantiles(values, n=10) if len(values) > 1 else values * 9
        return {"mean": round(fmean(values), 2), "p50": round(cuts[4], 2), "p90": round(cuts[8], 2)}


def _fate(account: Account) -> str:
    if account.status in ENDS:
        return account.status
    if account.status in ("waiting", "refused"):
        return f"refused: {account.reason}" if account.reason else "not placed before the end"
    return f"undelivered: {account.status} at the end"
