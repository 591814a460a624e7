"""Postgres and Valkey as one pair in one data directory.

`start_engines` is called on a thread that lives as long as the engines should: they die with it (see `lifeline`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import orjson

from hub.embedded.credentials import Credentials, credentials, key_file
from hub.embedded.ownership import Ownership, own
from hub.embedded.ports import LOOPBACK, claim
from hub.embedded.postgres import DATABASE, ROLE, postgres
from hub.embedded.process import Process
from hub.embedded.valkey import valkey
from hub.gateway.key_file import write_private

RUNNING = "running.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """A running pair. `postgres` and `redis` may be killed and restarted one by one; both keep their port."""

    directory: Path
    postgres: Process
    redis: Process
    postgres_port: int
    redis_port: int
    credentials: Credentials
    ownership: Ownership = field(repr=False)

    @property
    def key_file(self) -> Path:
        """The rings of keys, which `hotpass keys` rotates."""
        return key_file(self.directory, self.credentials)

    @property
    def database_url(self) -> str:
        """The DSN of the database `hotpass`."""
        return self.database_url_of(DATABASE)

    @property
    def redis_url(self) -> str:
        """The URL of logical database 0."""
        return self.redis_url_of(0)

    def database_url_of(self, name: str) -> str:
        """The DSN of another database of this server."""
        password, port = self.credentials.database_password, self.postgres_port
        return f"postgresql://{ROLE}:{password}@{LOOPBACK}:{port}/{name}"

    def redis_url_of(self, number: int) -> str:
        """The URL of another logical database, 0 to 127."""
        return f"redis://:{self.credentials.redis_password}@{LOOPBACK}:{self.redis_port}/{number}"

    def stop(self) -> None:
        """Stop both in an orderly way and let the directory go; the data stays."""
        try:
            self.redis.stop()
            self.postgres.stop()
        finally:
            (self.directory / RUNNING).unlink(missing_ok=True)
            self.ownership.release()


def start_engines(directory: Path, *, postgres_port: int = 0, redis_port: int = 0) -> Engines:
    """Start the pair on loopback, at free ports unless given; its data is made in `directory` at the first start.

    The first start takes about two seconds, a later one 0.3 s, plus recovery after a crash.
    Raises `PortBusy`, `DirectoryInUse`, `BinaryMissing`, `CannotRunPostgres`, `ProcessFailed`; then nothing runs.
    """
    directory = directory.resolve()
    ownership = own(directory)
    started: list[Process] = []
    try:
        keys = credentials(directory)
        database_port, stream_port = claim(postgres_port, name="Postgres"), claim(redis_port, name="Valkey")
        database = Process(postgres(directory, port=database_port, password=keys.database_password))
        stream = Process(valkey(directory, port=stream_port, password=keys.redis_password))
        for engine in (stream, database):
            started.append(engine)
            engine.start()
    except BaseException:
        for engine in started:
            engine.stop()
        ownership.release()
        raise
    pair = Engines(
        directory=directory,
        postgres=database,
        redis=stream,
        postgres_port=database_port,
        redis_port=stream_port,
        credentials=keys,
        ownership=ownership,
    )
    write_private(directory / RUNNING, orjson.dumps([pair.database_url, pair.redis_url]))
    return pair


def running_urls(directory: Path) -> tuple[str, str] | None:
    """The DSN and the Redis URL of the pair that runs in `directory` right now, for commands beside a running demo.

    None when there is none; after a kill -9 of its owner the answer may name servers that no longer answer.
    """
    try:
        database_url, redis_url = orjson.loads((directory / RUNNING).read_bytes())
    except FileNotFoundError:
        return None
    return database_url, redis_url
