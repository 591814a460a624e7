"""Looks whether this machine and these servers can run Hotpass; each finding says what to do about it.

Reads only. Every check answers within a few seconds, whatever is away.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db.connection import DATABASE_AWAY
from db.migrate import newest_revision, present_revision

Verdict = Literal["ok", "warn", "fail"]
OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 130_000
OLDEST_REDIS = 7
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LEAST_FREE_BYTES = 1024**3
TIMEOUT_SECONDS = 5.0
START_THEM = "start the servers, or use `hotpass demo`, which brings its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row of the report; `action` is empty when nothing needs doing."""

    subject: str
    verdict: Verdict
    found: str
    action: str = ""


async def examine(
    *, database_url: str | None, redis_url: str | None, data_directory: Path, ports: dict[str, int]
) -> list[Finding]:
    """All findings, in the order in which one would mend them. `ports`: the port of each listener, by its name."""
    findings = [_python(), _disk(data_directory), _browser()]
    findings += await _postgres(database_url) if database_url else [_missing("Postgres", "HOTPASS_DATABASE_URL")]
    findings += [await _redis(redis_url) if redis_url else _missing("Redis", "HOTPASS_REDIS_URL")]
    return findings + list(await asyncio.gather(*(_port(name, port) for name, port in ports.items())))


def _missing(subject: str, variable: str) -> Finding:
    return Finding(
        subject=subject,
        verdict="fail",
        found=f"{variable} is not set",
        action=f"set {variable}, or point --data at the directory of a running `hotpass demo`",
    )


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding(subject="Python", verdict="ok", found=found)
    return Finding(subject="Python", verdict="fail", found=found, action="install Python 3.11 or newer")


def _disk(directory: Path) -> Finding:
    place = next(parent for parent in (directory, *directory.resolve().parents) if parent.exists())
    free_bytes = shutil.disk_usage(place).free
    found = f"{free_bytes / 1024**3:.1f} GiB free at {place}"
    if free_bytes >= LEAST_FREE_BYTES:
        return Finding(subject="Disk", verdict="ok", found=found)
    return Finding(
        subject="Disk", verdict="warn", found=found, action="free some space: a service day needs about 1 GiB"
    )


def _browser() -> Finding:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return Finding(subject="Chromium", verdict="ok", found=found)
    return Finding(
        subject="Chromium",
        verdict="warn",
        found="not found",
        action="only the browser tests need it: apt install chromium",
    )


async def _postgres(url: str) -> list[Finding]:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            connection = await asyncpg.connect(url)
            try:
                number = int(await connection.fetchval("show server_version_num"))
            finally:
                await connection.close()
            present = await present_revision(url)
    except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
        return [Finding(subject="Postgres", verdict="fail", found=_why(error), action=START_THEM)]
    return [_postgres_version(number), _schema(present)]


def _postgres_version(number: int) -> Finding:
    found = f"{number // 10_000}.{number % 10_000}"
    if number >= OLDEST_POSTGRES:
        return Finding(subject="Postgres", verdict="ok", found=found)
    return Finding(
        subject="Postgres", verdict="fail", found=found, action="use PostgreSQL 13 or newer; 18 is what is tested"
    )


def _schema(present: str | None) -> Finding:
    newest = newest_revision()
    if present == newest:
        return Finding(subject="Schema", verdict="ok", found=f"{present}, the newest")
    found = f"{present or 'empty'}, the newest is {newest}"
    return Finding(subject="Schema", verdict="fail", found=found, action="run: hotpass migrate")


async def _redis(url: str) -> Finding:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), Redis.from_url(url) as redis:
            server = await redis.info("server")
    except (RedisError, OSError, ValueError) as error:
        return Finding(subject="Redis", verdict="fail", found=_why(error), action=START_THEM)
    version = str(server.get("valkey_version") or server["redis_version"])
    found = f"{'Valkey' if 'valkey_version' in server else 'Redis'} {version}"
    if int(version.partition(".")[0]) >= OLDEST_REDIS:
        return Finding(subject="Redis", verdict="ok", found=found)
    return Finding(subject="Redis", verdict="warn", found=found, action="use Redis 7 or newer, or Valkey")


async def _port(name: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return Finding(subject=name, verdict="ok", found=f"port {port} is free")
    writer.close()
    await writer.wait_closed()
    return Finding(
        subject=name,
        verdict="warn",
        found=f"port {port} is in use",
        action="fine if that is Hotpass; else choose another port",
    )


def _why(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
