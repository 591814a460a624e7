"""Passwords and keys of the embedded profile: random, made once, readable by the owner of the data directory alone."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from hub.gateway.key_file import locked, new_key_file, write_key_file, write_private

FILE_NAME = "credentials.json"
KEY_FILE_NAME = "keys.json"
KEY_BYTES = 48


def _key() -> str:
    return secrets.token_urlsafe(KEY_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything secret that one embedded Hotpass needs; `secret_key` and `data_key` are the first of their rings."""

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


def key_file(directory: Path, made: Credentials) -> Path:
    """The file of both rings of keys, made with the first keys at the first call."""
    path = directory / KEY_FILE_NAME
    with locked(path):
        if not path.exists():
            write_key_file(path, new_key_file((made.secret_key,), (made.data_key,), datetime.now(UTC)))
    return path
