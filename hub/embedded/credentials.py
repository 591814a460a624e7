"""Passwords and keys of the embedded profile: random, made once, readable by the owner of the data directory alone."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

FILE_NAME = "credentials.json"
KEY_BYTES = 48


def _key() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything secret that one embedded Hotpass needs."""

    database_password: str = field(default_factory=_key, repr=False)
    redis_password: str = field(default_factory=_key, repr=False)
    secret_key: str = field(default_factory=_key, repr=False)
    data_key: str = field(default_factory=_key, repr=False)
    storage_secret: str = field(default_factory=_key, repr=False)


def credentials(directory: Path) -> Credentials:
    """The credentials of `directory`, made at the first call; the caller owns the directory."""
    path = directory / FILE_NAME
    if path.exists():
        return Credentials(**orjson.loads(path.read_bytes()))
    made = Credentials()
    write_private(path, orjson.dumps(asdict(made)))
    return made


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, never seen half written: written aside, synced, then renamed."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
