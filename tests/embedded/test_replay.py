"""A recorded day is only well when all its orders came to an end; else the command says how many did not, and fails."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from hub.demo.day import Day
from hub.demo.recording import save_day
from hub.demo.synthetic import Shape, synthetic_day
from tests.embedded.test_commands import hotpass

QUARTER = Shape(
    name="quarter", kitchens=1, couriers=2, orders=2, hours=0.25, spread_metres=200.0, door_metres=200.0, is_steady=True
)
SPEED = "240"


def day_with(*, shift_seconds: int) -> Day:
    """A quarter of an hour whose couriers stay so long."""
    day = synthetic_day(5, QUARTER)
    couriers = tuple(msgspec.structs.replace(one, on_seconds=0, off_seconds=shift_seconds) for one in day.couriers)
    terms = msgspec.structs.replace(day.terms, maximum_minutes=20.0)
    return Day(terms=terms, kitchens=day.kitchens, couriers=couriers, orders=day.orders)


@pytest.mark.parametrize(("shift_seconds", "code", "unfinished"), [(6 * 3600, 0, 0), (1, 1, 2)])
def test_a_day_whose_orders_did_not_end_is_not_well(
    made_directory: Path, tmp_path: Path, shift_seconds: int, code: int, unfinished: int
) -> None:
    save_day(day_with(shift_seconds=shift_seconds), tmp_path / "day.jsonl")
    told = hotpass("replay", str(tmp_path / "day.jsonl"), "--speed", SPEED, "--json", "--data", str(made_directory))
    report = json.loads(told.stdout)
    assert "error" not in report, report
    assert (told.returncode, report["orders_unfinished"], report["lost"]) == (code, unfinished, 0), told.stderr
    assert report["is_well"] == (unfinished == 0)
    assert ("came to no end" in told.stderr) == (unfinished > 0)
