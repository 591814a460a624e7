"""How a benchmark process and the one that started it talk: one line each way at a time, over standard streams."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def task_of(kind: type[T]) -> T:
    """The task, as the parent's first line tells it."""
    return msgspec.json.decode(sys.stdin.readline(), type=kind)


def say(word: str) -> None:
    """Tell the parent."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def hear() -> None:
    """Wait for the parent's next line."""
    await asyncio.to_thread(sys.stdin.readline)


def save(path: str, value: object) -> None:
    """Leave a result where the parent looks for it."""
    Path(path).write_bytes(msgspec.msgpack.encode(value))
