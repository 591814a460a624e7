"""Money: integers of the currency's minor unit, never a float."""

from __future__ import annotations

LARGEST_MINOR = 10**12


def line_total(price_minor: int, quantity: int) -> int:
    """Price of `quantity` pieces, in minor units. Raises `ValueError` beyond 10^12."""
    total = price_minor * quantity
    if not 0 <= total <= LARGEST_MINOR:
        raise ValueError(f"a total of {total} minor units is out of range")
    return total
