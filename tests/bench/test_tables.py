"""The table of the README is made from reports: every figure comes through, and what is no report is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from hub.bench.tables import BEGIN, END, HEADS, markdown, rows_of, table_of, written_into
from hub.cli import app

README = Path(__file__).parents[2] / "README.md"
CASE = {
    "name": "500 changes/s", "subscribers": 300, "frames_per_change": 13.0, "lost": 0, "is_sustained": True,
    "achieved_per_s": 500.1, "commit_to_client_ms": {"p50": 2.1, "p99": 6.4}, "server_cpu_us_per_change": 1836,
}  # fmt: skip
PIPELINE: dict[str, Any] = {
    "benchmark": "pipeline",
    "command": "hotpass bench pipeline",
    "not_available": {},
    "cases": [
        CASE
        | {
            "peers": {"pg_notify_one_node_socketio": CASE | {"server_cpu_us_per_change": 2000, "is_sustained": False}},
            "ratios": {"pg_notify_one_node_socketio": 0.92},
        }
    ],
}
STORM: dict[str, Any] = {
    "benchmark": "storm", "command": "hotpass bench storm", "clients": 10_000, "listening_s": 0.56,
    "converged_s": 15.2, "lost": 3, "duplicated": 1,
}  # fmt: skip
MEMORY: dict[str, Any] = {
    "benchmark": "memory", "command": "hotpass bench memory", "connections": 2000, "rss_bytes_per_connection": 2655,
    "peers": {"node_socketio": 15_400}, "ratios": {"node_socketio": 0.17}, "not_available": {"other": "node is away"},
}  # fmt: skip


def test_every_figure_of_the_pipeline_and_of_its_peer_is_told() -> None:
    (row,) = rows_of(PIPELINE)
    assert "500 changes/s, 300 subscribers, 13 frames a change" in row.what
    assert row.hotpass == "p50 2.1 ms, p99 6.4 ms, 1,836 µs, lost 0"
    assert row.peers == "pg_notify, one Node process p50 2.1 ms, p99 6.4 ms, 2,000 µs at 500/s (0.92)"
    assert row.command == "`hotpass bench pipeline`"


def test_what_was_lost_and_who_did_not_run_is_told_too() -> None:
    assert rows_of(STORM)[0].hotpass.endswith("lost 3, duplicated 1")
    assert rows_of(MEMORY)[0].peers == "Node socket.io 15.4 KB (0.17); not run: node is away"


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(ValueError, match="no report of a benchmark: None"):
        table_of([STORM, {"is_well": True}])


def test_the_table_takes_the_place_between_its_marks_and_nothing_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    written = written_into(text, rows_of(STORM))
    assert written == f"before\n{BEGIN}\n{markdown(rows_of(STORM))}\n{END}\nafter\n"
    assert written_into(written, rows_of(STORM)) == written
    with pytest.raises(ValueError, match="no place for the table"):
        written_into("no marks", rows_of(STORM))


def test_the_command_writes_it_into_a_file_and_says_what_is_wrong(tmp_path: Path) -> None:
    report, page = tmp_path / "storm.json", tmp_path / "page.md"
    report.write_bytes(orjson.dumps(STORM))
    page.write_text(f"{BEGIN}\n{END}\n")
    assert CliRunner().invoke(app, ["bench", "table", str(report), "--into", str(page)]).exit_code == 0
    assert "all resumed after 15.2 s" in page.read_text()
    report.write_text("{")
    broken = CliRunner().invoke(app, ["bench", "table", str(report)])
    assert broken.exit_code == 1
    assert "Traceback" not in broken.output


def test_the_readme_holds_a_table_of_these_heads() -> None:
    inside = README.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert inside.startswith(markdown([]).splitlines()[0])
    assert len(inside.splitlines()) > len(HEADS)
