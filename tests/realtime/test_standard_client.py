"""The JavaScript socket.io-client, unchanged, from npm: what any integrator uses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".hotpass/node"
SCRIPT = ROOT / "tests/realtime/standard_client.mjs"

NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = pytest.mark.skipif(NODE is None or NPM is None, reason="needs node and npm")


@pytest.fixture(scope="module")
def results(hubs):
    if not (MODULES / "node_modules/socket.io-client").is_dir():
        install = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(MODULES),
            "socket.io-client@4",
        ]
        MODULES.mkdir(parents=True, exist_ok=True)
        subprocess.run(install, check=True, timeout=300)
    hub = hubs(allow_polling=True, namespaces=("/", "/custom"), ping_interval_seconds=0.2)
    run = subprocess.run([NODE, SCRIPT, hub.url, MODULES], check=True, timeout=120, capture_output=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    ("scenario", "result"),
    [
        ("acknowledged", {"3": [True]}),
        ("greeted", {"token": "abc"}),
        ("refused", {"message": "not you", "data": {"code": "auth.refused"}}),
        ("unknownNamespace", "Invalid namespace"),
        ("namespace", "here"),
        ("upgraded", {"first": "polling", "then": "websocket", "inOrder": True}),
        ("pollingOnly", 7),
        ("kicked", "io server disconnect"),
        ("reconnected", {"reason": "transport close", "code": 4001, "isNew": True, "answer": 1}),
        ("binaryRefused", "transport close"),
    ],
)
def test_the_standard_client_finds_what_it_expects(results, scenario, result):
    assert results[scenario] == result
