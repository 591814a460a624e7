"""Service days in files: our own format, one JSON object a line, and the Grubhub text format, four tables in a folder.

Our format: the first line is the day (`{"kind": "day", …}`), then kitchens, couriers and orders in any order, each as
`hub.demo.day` defines it. The Grubhub format is that of the public meal delivery instances: `orders.txt`,
`restaurants.txt`, `couriers.txt`, `instance_parameters.txt`, tab-separated, metres and whole minutes.
A recording is outside data: every fault is told with file, line and reason, and nothing of it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from hub.demo.day import Day, DayCourier, DayItem, DayKitchen, DayLine, DayOrder, DayTerms

LATEST_MINUTE = 7 * 24 * 60
FARTHEST_METRES = 1_000_000.0
LARGEST_FILE_BYTES = 256 * 1024 * 1024
FORMAT_VERSION = 1
Entry = DayTerms | DayKitchen | DayCourier | DayOrder
T = TypeVar("T")
_ENTRY: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class RecordingError(Exception):
    """A recording cannot be read: which file, which line (from 1; 0 for the whole file), and why."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


def load_day(path: Path) -> Day:
    """Read a day: a folder in the Grubhub text format, or a file in ours. Raises `RecordingError`."""
    return load_grubhub(path) if path.is_dir() else load_lines(path)


def save_day(day: Day, path: Path) -> None:
    """Write a day in our own format."""
    entries: list[Entry] = [day.terms, *day.kitchens, *day.couriers, *day.orders]
    path.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))


def load_lines(path: Path) -> Day:
    """Read our own format. Raises `RecordingError`."""
    found: list[tuple[int, Entry]] = []
    for number, text in _lines(path):
        try:
            found.append((number, _ENTRY.decode(text)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordingError(path, number, str(error)) from None
    if not found or not isinstance(found[0][1], DayTerms):
        raise RecordingError(path, 1, 'the first line must be the day: {"kind": "day", "name": …}')
    terms = found[0][1]
    if terms.format_version != FORMAT_VERSION:
        raise RecordingError(path, 1, f"format_version {terms.format_version} is not known, only {FORMAT_VERSION}")
    if any(isinstance(entry, DayTerms) for _, entry in found[1:]):
        raise RecordingError(path, 0, "the day is described twice")
    kitchens = [(path, number, entry) for number, entry in found if isinstance(entry, DayKitchen)]
    couriers = [(path, number, entry) for number, entry in found if isinstance(entry, DayCourier)]
    orders = [(path, number, entry) for number, entry in found if isinstance(entry, DayOrder)]
    _check_terms(path, 1, terms)
    return _checked(terms, kitchens, couriers, orders)


def load_grubhub(folder: Path) -> Day:
    """Read the Grubhub text format. Every restaurant becomes a kitchen whose menu has one dish per preparation time.

    That way an order's recorded ready time is what the kitchen itself expects. Raises `RecordingError`.
    """
    terms = _grubhub_terms(folder)
    rows = list(_table(folder / "orders.txt", ("order", "x", "y", "placement_time", "restaurant", "ready_time")))
    orders = [(row.path, row.line, _grubhub_order(row)) for row in rows]
    menus: dict[str, set[int]] = {}
    for _, _, order in orders:
        menus.setdefault(order.kitchen, set()).add(max(60, order.ready_seconds - order.placed_seconds))
    kitchens = [
        (row.path, row.line, _grubhub_kitchen(row, sorted(menus.get(row.text("restaurant"), {600}))))
        for row in _table(folder / "restaurants.txt", ("restaurant", "x", "y"))
    ]
    couriers = [
        (row.path, row.line, _grubhub_courier(row))
        for row in _table(folder / "couriers.txt", ("courier", "x", "y", "on_time", "off_time"))
    ]
    return _centred(_checked(terms, kitchens, couriers, orders))


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a tab-separated table, with its place for the error message."""

    path: Path
    line: int
    cells: dict[str, str]

    def text(self, name: str) -> str:
        if not (value := self.cells[name].strip()):
            raise RecordingError(self.path, self.line, f"{name} is empty")
        return value

    def number(self, name: str, *, least: float, most: float) -> float:
        try:
            value = float(self.cells[name])
        except ValueError:
            raise RecordingError(self.path, self.line, f"{name} is no number: {self.cells[name]!r}") from None
        if not (math.isfinite(value) and least <= value <= most):
            raise RecordingError(self.path, self.line, f"{name} is {value:g}, not within {least:g} and {most:g}")
        return value

    def metres(self, name: str) -> float:
        return self.number(name, least=-FARTHEST_METRES, most=FARTHEST_METRES)

    def seconds(self, name: str) -> int:
        return round(60 * self.number(name, least=0, most=LATEST_MINUTE))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, numbered from 1."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise RecordingError(path, 0, f"larger than {LARGEST_FILE_BYTES // 2**20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(path, 0, f"cannot be read: {error.strerror}") from None
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, line.decode("utf-8").rstrip("\r")
            except UnicodeDecodeError:
                raise RecordingError(path, number, "is not UTF-8 text") from None


def _table(path: Path, columns: tuple[str, ...]) -> Iterator[_Row]:
    """The rows of a tab-separated table that has at least these columns."""
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise RecordingError(path, 0, "is empty")
    names = [name.strip() for name in first[1].split("\t")]
    if missing := [column for column in columns if column not in names]:
        raise RecordingError(path, first[0], f"has no column {', '.join(missing)}; found: {', '.join(names)}")
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(names):
            raise RecordingError(path, number, f"has {len(cells)} cells where the heading has {len(names)}")
        yield _Row(path, number, dict(zip(names, cells, strict=True)))


def _grubhub_terms(folder: Path) -> DayTerms:
    path = folder / "instance_parameters.txt"
    names = ("meters_per_minute", "pickup service minutes", "dropoff service minutes")
    row = next(_table(path, (*names, "target click-to-door", "maximum click-to-door")), None)
    if row is None:
        raise RecordingError(path, 2, "has no row of values")
    return DayTerms(
        name=folder.name,
        metres_per_minute=row.number(names[0], least=1, most=10_000),
        pickup_minutes=row.number(names[1], least=0, most=120),
        dropoff_minutes=row.number(names[2], least=0, most=120),
        target_minutes=row.number("target click-to-door", least=1, most=LATEST_MINUTE),
        maximum_minutes=row.number("maximum click-to-door", least=1, most=LATEST_MINUTE),
    )


def _grubhub_order(row: _Row) -> DayOrder:
    placed, ready = row.seconds("placement_time"), row.seconds("ready_time")
    return DayOrder(
        key=row.text("order"),
        kitchen=row.text("restaurant"),
        x_metres=row.metres("x"),
        y_metres=row.metres("y"),
        placed_seconds=placed,
        ready_seconds=ready,
        lines=(DayLine(item=f"m{max(60, ready - placed)}"),),
    )


def _grubhub_kitchen(row: _Row, prep_seconds: list[int]) -> DayKitchen:
    key = row.text("restaurant")
    items = [
        DayItem(
            key=f"m{seconds}",
            name=f"Dish of {seconds / 60:g} minutes",
            brand=f"Restaurant {key}",
            station="line",
            price_minor=1500,
            prep_seconds=seconds,
        )
        for seconds in prep_seconds
    ]
    x, y = row.metres("x"), row.metres("y")
    return DayKitchen(key=key, name=f"Restaurant {key}", x_metres=x, y_metres=y, items=tuple(items))


def _grubhub_courier(row: _Row) -> DayCourier:
    on, off = row.seconds("on_time"), row.seconds("off_time")
    return DayCourier(
        key=row.text("courier"), x_metres=row.metres("x"), y_metres=row.metres("y"), on_seconds=on, off_seconds=off
    )


Placed = tuple[Path, int, T]


def _checked(
    terms: DayTerms,
    kitchens: list[Placed[DayKitchen]],
    couriers: list[Placed[DayCourier]],
    orders: list[Placed[DayOrder]],
) -> Day:
    """The day, once everything in it refers to something and no time runs backwards."""
    menus = {kitchen.key: {item.key for item in kitchen.items} for _, _, kitchen in kitchens}
    for path, line, kitchen in kitchens:
        _check_kitchen(path, line, kitchen)
    for path, line, courier in couriers:
        _require(path, line, courier.off_seconds >= courier.on_seconds >= 0, "the shift ends before it begins")
    for path, line, order in orders:
        _check_order(path, line, order, menus)
    _require_once(kitchens, lambda kitchen: kitchen.key)
    _require_once(couriers, lambda courier: courier.key)
    _require_once(orders, lambda order: order.key)
    return Day(
        terms=terms,
        kitchens=tuple(kitchen for _, _, kitchen in kitchens),
        couriers=tuple(sorted((courier for _, _, courier in couriers), key=lambda one: one.on_seconds)),
        orders=tuple(sorted((order for _, _, order in orders), key=lambda one: one.placed_seconds)),
    )


def _check_terms(path: Path, line: int, terms: DayTerms) -> None:
    _require(path, line, 1 <= terms.metres_per_minute <= 10_000, "metres_per_minute must be within 1 and 10,000")
    _require(path, line, terms.pickup_minutes >= 0 <= terms.dropoff_minutes, "service minutes cannot be negative")


def _check_kitchen(path: Path, line: int, kitchen: DayKitchen) -> None:
    _require(path, line, bool(kitchen.items), f"kitchen {kitchen.key} has no items")
    _require(path, line, _is_near(kitchen.x_metres, kitchen.y_metres), "the place is out of range")
    for item in kitchen.items:
        _require(path, line, 1 <= item.prep_seconds <= 86_400, f"prep_seconds of {item.key} is out of range")
        _require(path, line, 0 <= item.price_minor <= 10**9, f"price_minor of {item.key} is out of range")


def _check_order(path: Path, line: int, order: DayOrder, menus: dict[str, set[str]]) -> None:
    _require(path, line, order.kitchen in menus, f"order {order.key} names an unknown kitchen {order.kitchen}")
    _require(path, line, 0 <= order.placed_seconds <= 60 * LATEST_MINUTE, "placed_seconds is out of range")
    _require(path, line, order.ready_seconds >= order.placed_seconds, f"order {order.key} is ready before it is placed")
    _require(path, line, _is_near(order.x_metres, order.y_metres), "the place is out of range")
    _require(path, line, bool(order.lines), f"order {order.key} has no lines")
    for one in order.lines:
        known = one.item in menus[order.kitchen]
        _require(path, line, known, f"order {order.key} names an unknown item {one.item} of kitchen {order.kitchen}")
        _require(path, line, 1 <= one.quantity <= 99, f"order {order.key} has a quantity out of 1 and 99")


def _is_near(x_metres: float, y_metres: float) -> bool:
    return abs(x_metres) <= FARTHEST_METRES and abs(y_metres) <= FARTHEST_METRES


def _require(path: Path, line: int, fact: object, reason: str) -> None:
    if not fact:
        raise RecordingError(path, line, reason)


def _require_once(entries: Iterable[Placed[T]], key: Callable[[T], str]) -> None:
    seen: dict[str, int] = {}
    for path, line, entry in entries:
        if key(entry) in seen:
            raise RecordingError(path, line, f"{key(entry)} was already described in line {seen[key(entry)]}")
        seen[key(entry)] = line


def _centred(day: Day) -> Day:
    """The day with its kitchens' centre at the origin; recordings measure from a corner."""
    count = max(1, len(day.kitchens))
    x = sum(kitchen.x_metres for kitchen in day.kitchens) / count
    y = sum(kitchen.y_metres for kitchen in day.kitchens) / count
    replace = msgspec.structs.replace
    return Day(
        terms=day.terms,
        kitchens=tuple(replace(one, x_metres=one.x_metres - x, y_metres=one.y_metres - y) for one in day.kitchens),
        couriers=tuple(replace(one, x_metres=one.x_metres - x, y_metres=one.y_metres - y) for one in day.couriers),
        orders=tuple(replace(one, x_metres=one.x_metres - x, y_metres=one.y_metres - y) for one in day.orders),
    )
