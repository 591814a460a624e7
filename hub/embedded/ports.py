"""Free ports and busy ports, on loopback only."""

from __future__ import annotations

import socket

from hub.embedded.errors import PortBusy

LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 0.2


def claim(port: int, *, name: str) -> int:
    """`port` if it can be bound, or a free one for 0. Raises `PortBusy`.

    The port is free at the time of asking; whoever binds it checks that its own process answers there. A free one is
    kept for the next minute: nobody is given it by chance, a server that names it gets it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server restarted on its port finds it so
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise PortBusy(name=name, port=port) from error
        if port == 0:
            _keep(probe)
        return int(probe.getsockname()[1])


def _keep(probe: socket.socket) -> None:
    """Leave a port in TIME_WAIT: no connection and no `bind` to port 0 gets it, a `bind` with SO_REUSEADDR does."""
    probe.listen(1)
    with socket.create_connection(probe.getsockname()):
        probe.accept()[0].close()  # the side that closes first is the one that waits


def answers(port: int) -> bool:
    """Whether anything accepts a connection at `port`."""
    try:
        socket.create_connection((LOOPBACK, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def claim_preferred(port: int) -> int:
    """`port` if it is free, else any free one: for addresses that are told to a person anyway."""
    try:
        return claim(port, name="")
    except PortBusy:
        return claim(0, name="")
