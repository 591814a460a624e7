"""Fails at the first release of Sanic, python-engineio or python-socketio that moves what the hub leans on."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import engineio
import pytest
import socketio
from packaging.requirements import Requirement
from sanic.http.http1 import Http
from sanic.server.protocols.base_protocol import SanicProtocol
from sanic.worker.manager import WorkerManager

from hub.realtime import joints
from hub.realtime.engine import LiveServer
from hub.realtime.entrance import LiveEngine
from hub.realtime.packets import LivePacket
from hub.realtime.rooms import Rooms


@pytest.mark.parametrize("name", joints.TRIED_WITH)
def test_the_installed_release_was_tried(name):
    tried, installed = joints.TRIED_WITH[name].split("."), version(name).split(".")
    assert installed[:2] == tried[:2], "read joints.py again, run tests/realtime, then name the release in TRIED_WITH"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(LiveServer, socketio.AsyncServer), (LiveEngine, engineio.AsyncServer), (Rooms, socketio.AsyncManager)],
)
def test_every_overridden_method_still_exists_with_its_arguments(ours, theirs):
    own = {"application", "connection", "message_received", "session_ended", "session_slow", "session_drained"}
    own |= {"pong_received", "member", "acknowledged", "waiting_events", "joined", "left"}
    for name, method in vars(ours).items():
        if not inspect.isfunction(method) or name in own or name == "__init__":
            continue
        stock = getattr(theirs, name, None)
        if stock is None:
            assert name.startswith("_"), f"{theirs.__name__} has no {name} any more"
            continue
        if not any(kind.kind is kind.VAR_POSITIONAL for kind in inspect.signature(stock).parameters.values()):
            known = {parameter for parameter in inspect.signature(method).parameters if parameter != "_"}
            assert known <= set(inspect.signature(stock).parameters), name


def missing(leant_on: Mapping[str, Iterable[str]]) -> list[str]:
    """What of a list is no attribute of its class, and is nowhere given to an instance."""
    gone = []
    for place, names in leant_on.items():
        module, _, cls = place.partition(":")
        owner = getattr(import_module(module), cls)
        source = "".join(inspect.getsource(each) for each in owner.__mro__ if each.__module__ != "builtins")
        gone += [
            f"{place}.{name}"
            for name in names
            if not hasattr(owner, name) and not re.search(rf"self\.{name}\b[^=\n]*=[^=]", source)
        ]
    return gone


def test_what_is_leant_on_is_there():
    assert missing(joints.LEANT_ON) == []
    renamed = {
        "sanic.worker.manager:WorkerManager": ("monitor_publisher", "transients"),
        "socketio:AsyncServer": ("x",),
    }
    assert missing(renamed) == ["sanic.worker.manager:WorkerManager.transients", "socketio:AsyncServer.x"]


@pytest.mark.parametrize(
    ("ours", "place"),
    [
        (LiveServer, "socketio:AsyncServer"),
        (LiveEngine, "engineio:AsyncServer"),
        (Rooms, "socketio:AsyncManager"),
        (LivePacket, "socketio.packet:Packet"),
    ],
)
def test_nothing_else_of_a_library_is_used_by_our_subclass_of_it(ours, place):
    tree = ast.parse(inspect.getsource(ours))
    used, own = set(), {*vars(ours), *vars(ours).get("__annotations__", ())}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
    module, _, cls = place.partition(":")
    theirs = {name for name in used | own if not missing({place: [name]})}
    overridden = {name for name in vars(ours) if hasattr(getattr(import_module(module), cls), name)}
    assert theirs - overridden <= set(joints.LEANT_ON[place])
    assert used <= own | theirs


def test_the_project_asks_for_no_release_that_was_not_tried():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {one.name: one for one in map(Requirement, project["dependencies"]) if one.name in joints.TRIED_WITH}
    assert asked.keys() == joints.TRIED_WITH.keys()
    for name, tried in joints.TRIED_WITH.items():
        major, minor, _ = map(int, tried.split("."))
        assert tried in asked[name].specifier
        assert f"{major}.{minor + 1}.0" not in asked[name].specifier
        assert f"{major + 1}.0.0" not in asked[name].specifier


def test_what_python_socketio_calls_of_its_engine_is_there():
    calls = {"on", "attach", "send", "disconnect", "shutdown", "handle_request", "generate_id", "transport"}
    assert all(hasattr(engineio.AsyncServer, name) for name in calls)
    assert {"SERVER_DISCONNECT", "CLIENT_DISCONNECT"} <= set(vars(socketio.AsyncServer.reason))


def test_sanic_leaves_a_marked_handler_without_an_answer():
    from sanic import Sanic

    assert 'hasattr(handler, "is_websocket")' in inspect.getsource(Sanic.handle_request)
    assert "not self.upgrade_websocket" in inspect.getsource(Http.http1)


def test_sanic_does_nothing_to_a_transport_it_no_longer_has():
    assert "if self.transport is None or" in inspect.getsource(SanicProtocol.close)


def test_sanics_manager_still_starts_and_stops_in_the_same_way():
    assert "signal_func(SIGTERM, self.shutdown_signal)" in inspect.getsource(WorkerManager.__init__)
    waiting = inspect.getsource(WorkerManager.wait_for_ack)
    assert "while not self._all_workers_ack():" in waiting
    assert "self._shutting_down = True" in inspect.getsource(WorkerManager.shutdown)
