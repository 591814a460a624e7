"""Statements of the load that benchmarks put on the database: raw writes, as by somebody beside the product."""

from __future__ import annotations

# orders_pk; $1 the order's id, $2 a text. The triggers do the rest, as for any other write.
TOUCH_ORDER = "update orders set note = $2 where id = $1::text::uuid returning version"
