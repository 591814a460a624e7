"""npm's socket.io-client, unchanged, against the engine alone: what the hub itself has no use for too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.realtime.standard_clients import NODE, NPM, modules_of_node

SCRIPT = Path(__file__).with_name("standard_client.mjs")

pytestmark = pytest.mark.skipif(NODE is None or NPM is None, reason="needs node and npm")


@pytest.fixture(scope="module")
def results(hubs):
    modules = modules_of_node()
    hub = hubs(allow_polling=True, namespaces=("/", "/custom"), ping_interval_seconds=0.2)
    run = subprocess.run([NODE, SCRIPT, hub.url, modules], check=True, timeout=120, capture_output=True)
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
