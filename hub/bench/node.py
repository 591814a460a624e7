"""Node.js and the npm packages of the peers: installed once into a directory of their own, or it is said why not.

A peer that cannot run is named with its reason in the report (`not_available`): it never just falls out of the table.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

NODE = "node"
# Name and major version; where npm gets them from is the machine's own setting.
SOCKET_IO = ("socket.io@4",)
REDIS_ADAPTERS = (
    *SOCKET_IO, "@socket.io/redis-adapter@8", "@socket.io/redis-emitter@5", "@socket.io/redis-streams-adapter@0.3",
    "redis@5", "pg@8",
)  # fmt: skip
INSTALL_SECONDS = 120


async def lack_of(modules: Path, packages: Sequence[str]) -> str | None:
    """Why these packages cannot run here; None when they can. Installs what is missing into `modules` (absolute)."""
    return await asyncio.to_thread(_lack_of, modules, packages)


def _lack_of(modules: Path, packages: Sequence[str]) -> str | None:
    if shutil.which(NODE) is None:
        return "node is not on the PATH"
    missing = [package for package in packages if not _place(modules, package).is_dir()]
    if not missing:
        return None
    npm = shutil.which("npm")
    if npm is None:
        return f"npm is not on the PATH, and {modules} has no {', '.join(missing)}"
    modules.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(modules), *missing]
    try:
        code = subprocess.run(command, check=False, timeout=INSTALL_SECONDS, capture_output=True).returncode
    except subprocess.TimeoutExpired:
        return f"npm could not install {', '.join(missing)} within {INSTALL_SECONDS} s"
    return None if code == 0 else f"npm could not install {', '.join(missing)} (exit code {code})"


def _place(modules: Path, package: str) -> Path:
    return modules / "node_modules" / package.rpartition("@")[0]
