"""A child never outlives its parent, however the parent ends.

On Linux the kernel sends a child its death signal when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG).
So children are started from a thread that lives as long as they should: the main thread.
The signal survives execve and `unshare --user`; a change of user clears it, so it is set after that change.
Other systems have no such call: there only an orderly stop takes the children along.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
LARGEST_LOG_BYTES = 16 * 1024 * 1024
_C_LIBRARY = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(death_signal: signal.Signals = signal.SIGKILL, *, parent_id: int | None = None) -> None:
    """Tie this process to its parent; ends at once when `parent_id` is given and is the parent no more."""
    if _C_LIBRARY is not None:
        _C_LIBRARY.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if parent_id is not None and os.getppid() != parent_id:
        os._exit(1)


def bind_forks() -> None:
    """Tie every later fork of this process, and of its forks, to the one that forks: Sanic's workers, its manager."""
    forking = [os.getpid()]
    os.register_at_fork(
        before=lambda: forking.__setitem__(0, os.getpid()),
        after_in_child=lambda: die_with_parent(parent_id=forking[0]),
    )


def spawn(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
    user_id: int | None = None,
    standard_input: bytes = b"",
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, tied to the calling thread; both its outputs are appended to `log`.

    A log that has grown beyond 16 MiB starts over. `environment` adds to what the child inherits. Its own session
    keeps a terminal's Ctrl-C away from it: the owner stops its children in order.
    """
    parent_id = os.getpid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size > LARGEST_LOG_BYTES:
        os.ftruncate(descriptor, 0)
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=descriptor,
            stderr=descriptor,
            env=None if environment is None else os.environ | environment,
            user=user_id,
            group=user_id,
            extra_groups=None if user_id is None else [],
            start_new_session=True,
            # It runs between fork and exec, where only a call into the C library is safe; nothing else does this job.
            preexec_fn=lambda: die_with_parent(death_signal, parent_id=parent_id),  # noqa: PLW1509
        )
    finally:
        os.close(descriptor)
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it ended already; whoever waits for its readiness says so, with its log
        process.stdin.write(standard_input)
        process.stdin.close()
    return process
