"""Processes of a benchmark, as their parent holds them: one line each way at a time (the other end is `talk`)."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

LARGEST_LINE_BYTES = 16 * 1024 * 1024


def start(module: str, task: msgspec.Struct) -> AbstractAsyncContextManager[Process]:
    """A Python process of ours, see `launch`."""
    return launch((sys.executable, "-P", "-m", module), task)


@asynccontextmanager
async def launch(command: tuple[str | Path, ...], task: msgspec.Struct) -> AsyncIterator[Process]:
    """A process that was handed its task and is ready; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=LARGEST_LINE_BYTES)
    try:
        await say(process, msgspec.json.encode(task).decode())
        await expect(process, "ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def say(process: Process, line: str) -> None:
    """Tell it something."""
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    await process.stdin.drain()


async def said(process: Process) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def expect(process: Process, word: str) -> None:
    """Wait for one word. Raises `RuntimeError` for anything else."""
    if (line := await said(process)) != word:
        raise RuntimeError(f"a process of the benchmark said {line!r} instead of {word!r}; its error is above")
