"""One event a line: a constant message and fields; the request's identity comes from context variables.

Never a phone, an address, a code or a token: `redact` masks fields by name, whoever logs them. A line of our own is
rendered once and written by one system call, 15 µs in all, because every request writes one; what libraries log passes
the standard library's handlers and looks the same.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any, Literal

import orjson
import structlog

SECRET_WORDS = (
    "token",
    "password",
    "secret",
    "pin",
    "otp",
    "phone",
    "address",
    "authorization",
    "cookie",
    "code_given",
    "link",
    "tracking",
)
MASK = "[masked]"
STANDARD_ERROR = 2


class Lines:
    """Writes rendered lines to standard error, each whole; one that cannot be written is lost, never a request."""

    def msg(self, line: str | bytes) -> None:
        """Write one line."""
        rest = (line.encode("utf-8", "backslashreplace") if isinstance(line, str) else line) + b"\n"
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(STANDARD_ERROR, rest) :]

    debug = info = warning = error = critical = msg


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every field whose name contains a secret word."""
    for name in event:
        if is_secret(name):
            event[name] = MASK
    return event


@cache
def is_secret(name: str) -> bool:
    """True when a field of this name is never told. Names come from the code, so they are few."""
    return any(word in name.lower() for word in SECRET_WORDS)


def to_json(event: Any, **_: Any) -> bytes:
    """An event as one line of JSON, whatever stands in it."""
    try:
        return orjson.dumps(event, default=repr)
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return json.dumps(event, default=repr).encode()


def configure(*, level: str, form: Literal["json", "text"], process: str) -> None:
    """Set up structlog and the standard library's logging for one process; lines go to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        redact,
    ]
    tail: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=to_json)]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(
        processors=[*shared, *tail],
        logger_factory=lambda *_: Lines(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    _take_libraries(level, shared, tail)
    structlog.contextvars.bind_contextvars(process=process)


def _take_libraries(level: str, shared: list[Any], tail: list[Any]) -> None:
    """Let what libraries log by the standard library look like our own lines."""
    handler = logging.StreamHandler(sys.stderr)
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[meta, *tail, _as_text])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("sanic.root", "sanic.server", "databases"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _as_text(_: Any, __: str, line: Any) -> str:
    return line.decode() if isinstance(line, bytes) else str(line)


def get(name: str) -> Any:
    """The logger of a module."""
    return structlog.get_logger(name)
