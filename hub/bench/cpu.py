"""Processor time of process trees, from the scheduler's own account (nanoseconds, no sampling)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

Used = dict[int, float]


def cpu_used(process_ids: Iterable[int]) -> Used:
    """Seconds of CPU used so far by each of these processes and of their present descendants, by process id."""
    return {process_id: _one(process_id) for root in process_ids for process_id in _tree(root)}


def cpu_seconds(before: Used, after: Used) -> float:
    """What was used between two looks; a process that ended meanwhile counts nothing, one that began counts whole."""
    return sum(seconds - before.get(process_id, 0.0) for process_id, seconds in after.items())


def cpu_by_name(processes: Mapping[str, Iterable[int]]) -> dict[str, Used]:
    """`cpu_used` for each name."""
    return {name: cpu_used(process_ids) for name, process_ids in processes.items()}


def _tree(root: int) -> list[int]:
    try:
        return [root, *(child.pid for child in psutil.Process(root).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _one(process_id: int) -> float:
    nanoseconds = 0
    try:
        for task in Path(f"/proc/{process_id}/task").iterdir():
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass  # it ended while we looked
    return nanoseconds / 1e9
