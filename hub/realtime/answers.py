"""How a handler is called for a client's event, and how what it returns becomes the acknowledgement.

Invariant: whatever a client sends, and whatever the handler does, the client hears something:
`{ok: false, error: {code, message}}` where the handler had nothing to say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any


def refused(code: str, message: str) -> list[Any]:
    """The arguments of an acknowledgement that says no."""
    return [{"ok": False, "error": {"code": code, "message": message}}]


def arguments_of(result: Any) -> list[Any]:
    """The arguments of the acknowledgement: a tuple is several, None is none, anything else is one."""
    if result is None:
        return []
    return list(result) if isinstance(result, tuple) else [result]


@lru_cache(maxsize=256)
def accepts(handler: Callable[..., Any], count: int) -> bool:
    """Whether a handler can be called with so many arguments."""
    try:
        inspect.signature(handler).bind(*range(count))
    except TypeError:
        return False
    return True
