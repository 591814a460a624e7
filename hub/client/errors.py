"""What can go wrong between a client and the hub.

ClientError
├── ApiError         the hub answered with a problem: `status`, a stable dotted `code`, `detail`, further `fields`
├── Unreachable      no answer within the caller's patience, although the same key was sent again and again
├── ConnectRefused   the hub refused the socket: `code`
├── AskRefused       the hub refused an event of the socket: `code`, further `fields`
└── SocketLost       the socket went away before the acknowledgement came
"""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Anything that goes wrong between a client and the hub."""


class ApiError(ClientError):
    """The hub answered with problem+json."""

    def __init__(self, *, status: int, code: str, detail: str, fields: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields or {}


class Unreachable(ClientError):
    """The hub gave no final answer within the caller's patience; the action happened once or not at all."""


class ConnectRefused(ClientError):
    """The hub refused the socket."""

    def __init__(self, *, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class AskRefused(ClientError):
    """The hub refused an event; the socket stays open."""

    def __init__(self, *, code: str, message: str, fields: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.fields = fields or {}


class SocketLost(ClientError):
    """The socket went away, or an acknowledgement did not come in time."""
