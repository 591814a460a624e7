"""The processes of one Hotpass on one machine, and the environment each of them gets.

Two sequencers run, a leader and a standby; hub workers share one port; the rest is one of a kind.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hub.embedded.engines import Engines
from hub.embedded.lifeline import spawn
from hub.embedded.ports import LOOPBACK, answers
from hub.embedded.process import Process, Recipe
from hub.embedded.readiness import Announcements

PREFERRED_HUB_PORT = 8700
# The loopback address from which the UI calls the hub. The hub believes it, and nobody else here, whose request it
# passes on; browsers and the simulated city come from 127.0.0.1.
UI_SOURCE_ADDRESS = "127.0.0.2"
PREFERRED_UI_PORT = 8701


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """What runs where. `sockets` is a private directory with a short path, for the announcements."""

    engines: Engines
    hub_port: int
    ui_port: int
    sockets: Path
    hub_workers: int = 2
    sequencers: int = 2

    @property
    def hub_url(self) -> str:
        """The address of the hub, as browsers see it."""
        return f"http://{LOOPBACK}:{self.hub_port}"

    @property
    def ui_url(self) -> str:
        """The address of the UI, as browsers see it."""
        return f"http://{LOOPBACK}:{self.ui_port}"


def processes(house: Household) -> list[Process]:
    """Every process of the household beside its engines, in the order to start them."""
    kinds = ["hub", *["sequencer"] * house.sequencers, "dispatcher", "jobs", "ui"]
    return [_process(house, number, kind) for number, kind in enumerate(kinds)]


def environment(house: Household) -> dict[str, str]:
    """The settings that every process of the household shares (see `hub.settings`)."""
    engines, keys = house.engines, house.engines.credentials
    return {
        "HOTPASS_PROFILE": "embedded",
        "HOTPASS_DATA_DIRECTORY": str(engines.directory),
        "HOTPASS_DATABASE_URL": engines.database_url,
        "HOTPASS_DATABASE_DIRECT_URL": engines.database_url,
        "HOTPASS_REDIS_URL": engines.redis_url,
        "HOTPASS_KEY_FILE": str(engines.key_file),
        "HOTPASS_UI_STORAGE_SECRET": keys.storage_secret,
        "HOTPASS_HUB_HOST": LOOPBACK,
        "HOTPASS_HUB_PORT": str(house.hub_port),
        "HOTPASS_HUB_WORKERS": str(house.hub_workers),
        "HOTPASS_HUB_URL": house.hub_url,
        "HOTPASS_TRUSTED_PROXIES": f'["{UI_SOURCE_ADDRESS}"]',
        "HOTPASS_UI_SOURCE_ADDRESS": UI_SOURCE_ADDRESS,
        "HOTPASS_UI_HOST": LOOPBACK,
        "HOTPASS_UI_PORT": str(house.ui_port),
        "HOTPASS_UI_URL": house.ui_url,
    }


def _process(house: Household, number: int, kind: str) -> Process:
    """Ready when each of its workers has announced itself, and its port, if it has one, answers."""
    port = {"hub": house.hub_port, "ui": house.ui_port}.get(kind)
    voices = house.hub_workers if kind == "hub" else 1
    name = f"{kind} {number}" if kind == "sequencer" else kind
    heard = Announcements(house.sockets / str(number))
    surroundings: Mapping[str, str] = environment(house) | {"HOTPASS_READY_SOCKET": str(heard.path)}
    log = house.engines.directory / f"{name.replace(' ', '-')}.log"
    return Process(
        Recipe(
            name=name,
            log=log,
            prepare=heard.open_anew,
            release=heard.close,
            # -P: a directory named hub where the command is typed is not ours
            launch=partial(
                spawn, [sys.executable, "-P", "-m", "hub.cli", "serve", kind], log=log, environment=surroundings
            ),
            is_ready=lambda _: heard.count() >= voices and (port is None or answers(port)),
        )
    )
