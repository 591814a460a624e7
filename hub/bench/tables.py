"""The reports of the benchmarks as one table: for a terminal, and for the README, which is written from reports alone.

A row says what was measured, at Hotpass and at each peer of the same run, and by which command. Behind a peer's figure
stands ours by it: below 1 we are cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

Report = Mapping[str, Any]

BEGIN, END = "<!-- begin: hotpass bench table -->", "<!-- end: hotpass bench table -->"
HEADS = ("what", "Hotpass", "peers, same run", "command")
PEERS = {
    "node_socketio": "Node socket.io",
    "stock_python_socketio": "stock python-socketio",
    "node_socketio_redis_adapter": "Node socket.io with its Redis adapter",
    "node_socketio_redis_streams_adapter": "Node socket.io with its Redis streams adapter",
    "pg_notify_node_socketio_redis": "pg_notify, Node, Redis adapter",
    "pg_notify_node_socketio_redis_streams": "pg_notify, Node, Redis streams adapter",
    "pg_notify_one_node_socketio": "pg_notify, one Node process",
}


class Row(NamedTuple):
    """One line of the table, in the order of `HEADS`."""

    what: str
    hotpass: str
    peers: str
    command: str


def rows_of(report: Report) -> list[Row]:
    """The rows of one report. Raises `ValueError` for what is no report of a benchmark that has a table."""
    make = _MAKERS.get(str(report.get("benchmark")))
    if make is None:
        raise ValueError(f"no report of a benchmark: {report.get('benchmark')!r}; one of {', '.join(_MAKERS)} is")
    lack = "; ".join(sorted({f"not run: {why}" for why in report.get("not_available", {}).values()}))
    command = f"`{report['command']}`"
    rows = []
    for what, ours, peers in make(report):
        beside = "; ".join(part for part in (peers, lack) if part)
        rows.append(Row(what, ours, beside or "–", command))
    return rows


def table_of(reports: Iterable[Report]) -> list[Row]:
    """The rows of several reports, in the order of the benchmarks. Raises `ValueError` as `rows_of` does."""
    rows = {str(report.get("benchmark")): rows_of(report) for report in reports}
    return [row for name in _MAKERS for row in rows.get(name, ())]


def markdown(rows: Iterable[Row]) -> str:
    """The table as Markdown."""
    lines = [HEADS, ("---",) * len(HEADS), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written_into(text: str, rows: Iterable[Row]) -> str:
    """`text` with the table in the place between its two marks. Raises `ValueError` when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text has no place for the table: two lines, {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{markdown(rows)}\n{END}{after}"


Cells = tuple[str, str, str]


def _fanout(report: Report) -> Iterable[Cells]:
    for case in report["cases"]:
        if "p99_ms_without" in case:
            ratio = case["ratios"]["p99_beside_slow_readers"]
            yield f"p99 of those who read, {case['name']}", f"{case['p99_ms']} ms, {ratio} × that without them", ""
            continue
        peers = {
            name: f"{_microseconds(peer['cpu_us_per_delivery'])} ({case['ratios'][name]})"
            for name, peer in case["peers"].items()
        }
        cost = _microseconds(case["hub_cpu_us_per_delivery"])
        yield f"CPU per delivery, {case['name']}", f"{cost}, lost {case['lost']}", _beside(peers)


def _memory(report: Report) -> Iterable[Cells]:
    peers = {name: f"{size / 1000:.1f} KB ({report['ratios'][name]})" for name, size in report["peers"].items()}
    what = f"memory of an idle client, {report['connections']:,} of them"
    yield what, f"{report['rss_bytes_per_connection'] / 1000:.1f} KB", _beside(peers)


def _rush(report: Report) -> Iterable[Cells]:
    peers = {name: f"{peer['leaving_stall_ms']:.0f} ms" for name, peer in report["peers"].items()}
    what = f"longest stall while {report['clients']:,} clients leave at once"
    yield what, f"{report['hub']['leaving_stall_ms']:.0f} ms", _beside(peers)


def _storm(report: Report) -> Iterable[Cells]:
    told = f"listening after {report['listening_s']} s, all resumed after {report['converged_s']} s"
    faults = f"lost {report['lost']}, duplicated {report['duplicated']}"
    yield f"the worker killed -9 under {report['clients']:,} clients", f"{told}, {faults}", ""


def _pipeline(report: Report) -> Iterable[Cells]:
    for case in report["cases"]:
        peers = {name: f"{_path(peer)} ({case['ratios'][name]})" for name, peer in case["peers"].items()}
        size = f"{case['subscribers']} subscribers, {case['frames_per_change']:g} frames a change"
        what = f"commit → subscriber at {case['name']}, {size}; CPU per change from Postgres to the hub"
        yield what, f"{_path(case)}, lost {case['lost']}", _beside(peers)


def _path(case: Mapping[str, Any]) -> str:
    delay = case["commit_to_client_ms"] or {"p50": "–", "p99": "–"}
    pace = "" if case["is_sustained"] else f" at {case['achieved_per_s']:.0f}/s"
    return f"p50 {delay['p50']} ms, p99 {delay['p99']} ms, {case['server_cpu_us_per_change']:,} µs{pace}"


def _microseconds(number: float) -> str:
    return f"{number:.1f} µs" if number < 100 else f"{number:.0f} µs"


def _beside(peers: Mapping[str, str]) -> str:
    return "; ".join(f"{PEERS.get(name, name)} {told}" for name, told in peers.items())


_MAKERS: dict[str, Callable[[Report], Iterable[Cells]]] = {
    "fanout": _fanout,
    "memory": _memory,
    "rush": _rush,
    "storm": _storm,
    "pipeline": _pipeline,
}
