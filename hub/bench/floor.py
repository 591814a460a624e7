"""What the kernel alone takes for a delivery: bare `send()` of one frame to each of N sockets, one after the other.

`python -m hub.bench.floor CLIENTS ROUNDS BYTES` prints the microseconds of processor time a send. No server written
in any language gets below it; what an engine costs is what it adds.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time

from hub.bench.talk import say

PAUSE_SECONDS = 0.05


def bare_send_microseconds(clients: int, rounds: int, size: int) -> float:
    """Processor time of one `send()` on loopback, read by a forked process."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(clients)
        if os.fork() == 0:
            _read_all(listening.getsockname(), clients)
        opened = [listening.accept()[0] for _ in range(clients)]
    frame, spent = b"x" * size, 0
    for _ in range(rounds):
        began = time.thread_time_ns()
        for each in opened:
            each.send(frame)
        spent += time.thread_time_ns() - began
        time.sleep(PAUSE_SECONDS)
    for each in opened:
        each.close()
    os.wait()
    return spent / 1e3 / rounds / clients


def _read_all(address: tuple[str, int], clients: int) -> None:
    """The child: read until the first socket is closed, then end."""
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            selector.register(socket.create_connection(address), selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if isinstance(key.fileobj, socket.socket) and not key.fileobj.recv(1 << 16):
                    os._exit(0)


if __name__ == "__main__":
    say(str(bare_send_microseconds(*(int(each) for each in sys.argv[1:4]))))
