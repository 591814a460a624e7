"""How a process says that it is ready: one datagram to the socket of whoever started it.

The socket is made anew for each start of a process, so that nobody else's answer is taken for its own. The message is
that of sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

MESSAGE = b"READY=1"
MOST_BYTES = 256


class Announcements:
    """Counts who has announced itself at `path`; a process of several workers announces each of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket: socket.socket | None = None
        self._count = 0

    def open_anew(self) -> None:
        """Forget everything heard; later announcements to the old socket are lost."""
        self.close()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))

    def count(self) -> int:
        """How many have announced themselves since `open_anew`; never blocks."""
        while self._socket is not None:
            try:
                message = self._socket.recv(MOST_BYTES)
            except BlockingIOError:
                break
            self._count += message.startswith(MESSAGE)
        return self._count

    def close(self) -> None:
        """Close and remove the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.path.unlink(missing_ok=True)
        self._count = 0


def announce(path: Path | None) -> None:
    """Say that this process, or this worker of it, is ready.

    Does nothing where nobody asked (`path` is None). A listener that went away is no fault.
    """
    if path is None:
        return
    message = MESSAGE + f"\nMAINPID={os.getpid()}\n".encode()
    listener_away = suppress(FileNotFoundError, ConnectionRefusedError)
    with listener_away, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, str(path))
