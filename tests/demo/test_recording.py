"""Recordings are outside data: every fault is told with its file, its line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.demo.recording import RecordingError, load_day, save_day
from hub.demo.synthetic import Shape, synthetic_day

SMALL = Shape(name="small", kitchens=3, couriers=4, orders=12, hours=2.0)
T = {
    "orders.txt": (
        "order\tx\ty\tplacement_time\trestaurant\tready_time\no1\t900\t800\t10\tr1\t25\no2\t100\t700\t12\tr2\t20\n"
    ),
    "restaurants.txt": "restaurant\tx\ty\nr1\t500\t500\nr2\t700\t300\n",
    "couriers.txt": "courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t0\t90\n",
    "instance_parameters.txt": (
        "meters_per_minute\tpickup service minutes\tdropoff service minutes\t"
        "target click-to-door\tmaximum click-to-door\n320\t4\t4\t40\t90\n"
    ),
}


def folder_with(tmp_path: Path, **texts: str) -> Path:
    for name, text in (T | {f"{name}.txt": text for name, text in texts.items()}).items():
        (tmp_path / name).write_text(text)
    return tmp_path


def fault_of(path: Path) -> tuple[str, int, str]:
    with pytest.raises(RecordingError) as caught:
        load_day(path)
    return caught.value.path.name, caught.value.line, caught.value.reason


def test_a_grubhub_folder_is_read_in_seconds_around_its_centre(tmp_path: Path) -> None:
    day = load_day(folder_with(tmp_path))
    assert [order.key for order in day.orders] == ["o1", "o2"]
    assert (day.orders[0].placed_seconds, day.orders[0].ready_seconds) == (600, 1500)
    assert sum(kitchen.x_metres for kitchen in day.kitchens) == 0
    menu = {item.key: item.prep_seconds for item in day.kitchens[0].items}
    assert menu[day.orders[0].lines[0].item] == 900
    # (15 + 8) prep, 2 and 2 of service, ceil(500/320) and ceil(721/320) of travel
    assert day.floor_minutes() == (15 + 4 + 2 + 8 + 4 + 3) / 2


@pytest.mark.parametrize(
    ("table", "text", "line", "reason"),
    [
        ("orders", T["orders.txt"].replace("\t10\t", "\tten\t"), 2, "placement_time is no number: 'ten'"),
        ("orders", T["orders.txt"].replace("\t10\t", "\tnan\t"), 2, "placement_time is nan, not within 0 and 10080"),
        ("orders", T["orders.txt"].replace("\t25\n", "\t5\n"), 2, "order o1 is ready before it is placed"),
        ("orders", T["orders.txt"].replace("r2", "r9"), 3, "order o2 names an unknown kitchen r9"),
        ("orders", T["orders.txt"].replace("o2", "o1"), 3, "o1 was already described in line 2"),
        ("orders", T["orders.txt"].replace("\tr2\t20", "\tr2"), 3, "has 5 cells where the heading has 6"),
        ("orders", "order\tx\n", 1, "has no column y, placement_time, restaurant, ready_time; found: order, x"),
        ("orders", "", 0, "is empty"),
        ("couriers", T["couriers.txt"].replace("\t0\t90", "\t90\t0"), 2, "the shift ends before it begins"),
        ("restaurants", T["restaurants.txt"].replace("500\t500", "1e9\t500"), 2, "x is 1e+09, not within"),
        ("instance_parameters", T["instance_parameters.txt"].split("\n")[0] + "\n", 2, "has no row of values"),
    ],
)  # fmt: skip
def test_a_corrupt_table_is_told_with_its_line(tmp_path: Path, table: str, text: str, line: int, reason: str) -> None:
    name, at, told = fault_of(folder_with(tmp_path, **{table: text}))
    assert (name, at) == (f"{table}.txt", line)
    assert told.startswith(reason)


def test_a_missing_or_binary_file_is_told(tmp_path: Path) -> None:
    folder_with(tmp_path)
    (tmp_path / "couriers.txt").write_bytes(b"courier\tx\ty\ton_time\toff_time\n\xff\xfe\n")
    assert fault_of(tmp_path) == ("couriers.txt", 2, "is not UTF-8 text")
    (tmp_path / "couriers.txt").unlink()
    assert fault_of(tmp_path) == ("couriers.txt", 0, "cannot be read: No such file or directory")


def test_our_own_format_gives_back_the_same_day(tmp_path: Path) -> None:
    day = synthetic_day(3, SMALL)
    save_day(day, tmp_path / "day.jsonl")
    assert load_day(tmp_path / "day.jsonl") == day


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"kind":"kitchen"', '"kind":"kitsch"', "Invalid value 'kitsch'"),
        ('"x_metres":', '"x_meters":', "unknown field `x_meters`"),
        ('"items":[', '"items":[7,', "Expected `object`, got `int`"),
        ('{"kind"', '"kind"', "Expected"),
    ],
)
def test_a_corrupt_line_is_told_with_its_number(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = tmp_path / "day.jsonl"
    save_day(synthetic_day(3, SMALL), path)
    lines = path.read_text().split("\n")
    lines[1] = lines[1].replace(old, new, 1)
    path.write_text("\n".join(lines))
    name, line, told = fault_of(path)
    assert (name, line) == ("day.jsonl", 2)
    assert reason in told


def test_a_day_without_its_first_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    save_day(synthetic_day(3, SMALL), path)
    path.write_text(path.read_text().split("\n", 1)[1])
    assert fault_of(path)[2].startswith("the first line must be the day")


def test_an_unknown_item_of_an_order_is_told(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    day = synthetic_day(3, SMALL)
    save_day(day, path)
    path.write_text(path.read_text().replace('"lines":[{"item":"i', '"lines":[{"item":"nothing', 1))
    assert "names an unknown item nothing" in fault_of(path)[2]
