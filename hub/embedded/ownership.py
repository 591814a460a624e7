"""One data directory has one owner: a lock that the kernel lets go when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import psutil

from hub.embedded.errors import DirectoryInUse

DYING_SECONDS = 2.0


class Ownership:
    """The held lock of a data directory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another process have the directory; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def own(directory: Path) -> Ownership:
    """Make `directory` if need be and become its owner.

    An owner that is being killed right now is given two seconds to go. Raises `DirectoryInUse`.
    """
    directory.mkdir(
        parents=True, exist_ok=True, mode=0o711
    )  # passable, so that Postgres as another user gets to its own
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(descriptor):
        owner_id = _owner_id(descriptor)
        _wait_for_end(owner_id)
        if not _locked(descriptor):
            os.close(descriptor)
            raise DirectoryInUse(directory=directory, owner_id=owner_id)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return Ownership(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner_id(descriptor: int) -> int | None:
    written = os.pread(descriptor, 20, 0)
    return int(written) if written.isdigit() else None


def _wait_for_end(process_id: int | None) -> None:
    if process_id is None or process_id == os.getpid():
        return
    with suppress(psutil.Error):
        psutil.Process(process_id).wait(DYING_SECONDS)
