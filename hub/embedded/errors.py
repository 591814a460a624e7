"""What can go wrong with engines and processes; every message says what, why and what to do next.

EmbeddedError
├── PortBusy           a port that was asked for is taken
├── DirectoryInUse     another Hotpass owns the data directory
├── BinaryMissing      a wheel is not installed for this machine
├── CannotRunPostgres  Postgres refuses root and no way around it works here
├── CityStuck          the simulated city came to no end (demonstration.py)
└── ProcessFailed      an engine or a child ended, or was not ready in time
"""

from __future__ import annotations

from pathlib import Path


class EmbeddedError(RuntimeError):
    """Any fault of the embedded profile; its text is meant for a person."""


class PortBusy(EmbeddedError):
    """The port of `name` is taken by something else."""

    def __init__(self, *, name: str, port: int) -> None:
        super().__init__(
            f"Port {port} for {name} is already in use on 127.0.0.1. "
            f"Stop what listens there (ss -ltnp 'sport = :{port}'), or give another port, or 0 for any free one."
        )


class DirectoryInUse(EmbeddedError):
    """Process `owner_id` holds the lock of `directory`."""

    def __init__(self, *, directory: Path, owner_id: int | None) -> None:
        owner = f"process {owner_id}" if owner_id else "another process"
        super().__init__(
            f"The data directory {directory} belongs to a running Hotpass ({owner}). "
            "Stop it with Ctrl-C, or give another directory with --data DIR."
        )


class BinaryMissing(EmbeddedError):
    """The wheel `package` brings no runnable `binary`."""

    def __init__(self, *, package: str, binary: str) -> None:
        super().__init__(
            f"No {binary} for this machine: the wheel {package} is missing or has no binary for it. "
            "Run deploy/setup.sh, or use real servers with HOTPASS_DATABASE_URL and HOTPASS_REDIS_URL."
        )


class CannotRunPostgres(EmbeddedError):
    """This process is root and may neither enter a user namespace nor become another user."""

    def __init__(self) -> None:
        super().__init__(
            "Postgres refuses to run as root, and neither a user namespace nor the user `nobody` can run it here. "
            "Start Hotpass as an ordinary user whose files include the data directory and the virtual environment."
        )


class ProcessFailed(EmbeddedError):
    """`name` ended or was not ready in time; `log` holds its own words."""

    def __init__(self, *, name: str, what: str, log: Path) -> None:
        super().__init__(f"{name} {what}. Its last words, from {log}:\n{_last_lines(log)}")


def _last_lines(log: Path, *, lines: int = 8) -> str:
    try:
        return (
            "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
            or "    (nothing)"
        )
    except OSError:
        return "    (no log)"
