"""The command line: one JSON object for machines, messages that say what to do for people, honest exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hub.arguments import duration
from hub.embedded.engines import Engines


def hotpass(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HOTPASS_", "PYTEST_"))}
    command = [sys.executable, "-P", "-m", "hub.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=clean | environment, timeout=120, check=False)


def test_the_help_names_every_command() -> None:
    shown = hotpass("--help")
    assert shown.returncode == 0
    for command in ("demo", "serve", "migrate", "doctor", "replay"):
        assert command in shown.stdout


def test_a_doctor_finds_an_unmigrated_database_and_migrate_mends_it(own_engines: Engines) -> None:
    servers = {"HOTPASS_DATABASE_URL": own_engines.database_url, "HOTPASS_REDIS_URL": own_engines.redis_url}
    before = hotpass("doctor", "--json", **servers)
    findings = {row["subject"]: row for row in json.loads(before.stdout)["findings"]}
    assert before.returncode == 1
    assert findings["Schema"]["action"] == "run: hotpass migrate"
    assert findings["Postgres"]["verdict"] == findings["Redis"]["verdict"] == "ok"
    assert hotpass("migrate", **servers).returncode == 0
    after = hotpass("doctor", **servers)
    assert after.returncode == 0, after.stdout
    assert "the newest" in after.stdout


def test_a_doctor_finds_the_engines_of_a_running_demo_by_its_directory(own_engines: Engines) -> None:
    examined = hotpass("doctor", "--json", "--data", str(own_engines.directory))
    findings = {row["subject"]: row["verdict"] for row in json.loads(examined.stdout)["findings"]}
    assert findings["Postgres"] == findings["Redis"] == "ok"


def test_a_doctor_says_what_is_away(tmp_path: Path) -> None:
    nobody = {"HOTPASS_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c", "HOTPASS_REDIS_URL": "redis://127.0.0.1:1"}
    examined = hotpass("doctor", "--json", "--data", str(tmp_path), **nobody)
    assert examined.returncode == 1


def test_a_busy_directory_is_told_in_one_line_with_what_to_do(own_engines: Engines) -> None:
    refused = hotpass("demo", "--plain", "--data", str(own_engines.directory))
    assert refused.returncode == 1
    assert "--data DIR" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_bad_setting_is_named_by_its_variable() -> None:
    refused = hotpass("doctor", "--json", HOTPASS_SECRET_KEY="short")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"].startswith("HOTPASS_SECRET_KEY: ")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("60s", 60), ("5m", 300), ("1.5h", 5400)])
def test_a_duration_is_written_as_people_write_it(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "5d", "five"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)
