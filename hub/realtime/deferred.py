"""Modules that libraries of ours import and the hub hardly ever uses: they load at their first use, if it comes.

    aiohttp, requests   the clients of python-engineio: the hub is a server
    apprise             codes to phones, where channels are set

A worker that was killed has ten thousand clients at its door: these, and what they import, are a sixth of its start.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

SELDOM = ("aiohttp", "apprise", "requests")


class Deferred(ModuleType):
    """Stands in for a module; becomes it when anything of it is asked for, a part of a package included.

    Not `importlib.util.LazyLoader`: that one loads as soon as a second `import` finds the module.
    """

    def __getattr__(self, name: str) -> Any:
        """Load, and answer as the module does."""
        spec: ModuleSpec = object.__getattribute__(self, "__spec__")
        self.__class__ = ModuleType  # type: ignore[assignment]  # from now on it is an ordinary one
        if spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


def defer_what_is_seldom_used() -> None:
    """Defer each of `SELDOM` that is installed and not loaded. To be called before anything imports them."""
    for name in SELDOM:
        spec = None if name in sys.modules else find_spec(name)
        if spec is not None:
            whole = module_from_spec(spec)
            module = sys.modules[name] = Deferred(name)
            module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, whole.__package__
            module.__file__ = whole.__file__
