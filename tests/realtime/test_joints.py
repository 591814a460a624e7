"""Fails at the first release of Sanic, python-engineio or python-socketio that moves what the hub leans on."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import engineio
import pytest
import socketio
from sanic.http.http1 import Http
from sanic.server import HttpProtocol
from sanic.server.protocols.base_protocol import SanicProtocol
from sanic.worker.manager import WorkerManager

from hub.realtime import joints
from hub.realtime.engine import LiveServer
from hub.realtime.entrance import LiveEngine
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
    own |= {"pong_received", "member", "acknowledged", "waiting_events"}
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


def test_what_is_called_of_python_socketio_is_there():
    source = inspect.getsource(socketio.AsyncServer) + inspect.getsource(socketio.AsyncServer.__mro__[1])
    for name in ("_engineio_server_class", "_trigger_event", "_get_event_handler"):
        assert f"def {name}(" in source
    for name in ("handlers", "namespace_handlers", "namespaces", "not_handled", "manager", "eio"):
        assert f"self.{name} = " in source
    calls = {"on", "attach", "send", "disconnect", "shutdown", "handle_request", "generate_id", "transport"}
    assert all(hasattr(engineio.AsyncServer, name) for name in calls)


def test_sanic_leaves_a_marked_handler_without_an_answer():
    from sanic import Sanic

    assert 'hasattr(handler, "is_websocket")' in inspect.getsource(Sanic.handle_request)
    assert "not self.upgrade_websocket" in inspect.getsource(Http.http1)


def test_sanic_does_nothing_to_a_transport_it_no_longer_has():
    assert {"connections", "transport"} <= set(SanicProtocol.__slots__)
    assert "recv_buffer" in HttpProtocol.__slots__
    assert "response_func" in Http.__slots__
    assert "if self.transport is None or" in inspect.getsource(SanicProtocol.close)
    assert "close_if_idle" in vars(HttpProtocol)
    assert "abort" in vars(SanicProtocol)


def test_sanics_manager_still_starts_and_stops_in_the_same_way():
    assert "signal_func(SIGTERM, self.shutdown_signal)" in inspect.getsource(WorkerManager.__init__)
    waiting = inspect.getsource(WorkerManager.wait_for_ack)
    assert "while not self._all_workers_ack():" in waiting
    assert "self._shutting_down = True" in inspect.getsource(WorkerManager.shutdown)
