"""The guard: our pages pass, everybody else's do not, also over the WebSocket."""

from __future__ import annotations

from typing import Any

import pytest

from ui.guard import Guard, Receive, Scope, Send

UI = "http://127.0.0.1:8701"


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that greets everybody."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def ask(kind: str, *, method: str = "GET", path: str = "/home", **headers: str) -> dict[str, Any]:
    """The first message that the guard sends back."""
    sent: list[dict[str, Any]] = []
    named = {"host": "127.0.0.1:8701", **headers}
    scope = {
        "type": kind, "method": method, "path": path, "raw_path": path.encode(), "query_string": b"link=1",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await Guard(behind, ui_url=UI, hub_url="http://127.0.0.1:8700")(scope, receive, send)
    return sent[0]


async def test_a_page_is_served_with_its_headers() -> None:
    answer = await ask("http")
    headers = {name.decode(): value.decode() for name, value in answer["headers"]}
    assert answer["status"] == 200
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "ws://127.0.0.1:8700" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_post_of_another_site_is_refused() -> None:
    assert (await ask("http", method="POST", path="/session/token", origin="https://evil.example"))["status"] == 403
    assert (await ask("http", method="POST", path="/session/token"))["status"] == 403
    assert (await ask("http", method="POST", path="/session/token", origin=UI))["status"] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_socket_of_another_site_is_closed(origin: str) -> None:
    assert (await ask("websocket", path="/_nicegui_ws/socket.io/", origin=origin))["type"] == "websocket.close"
    assert (await ask("websocket", path="/_nicegui_ws/socket.io/", origin=UI))["type"] == "websocket.accept"


async def test_a_rebound_name_is_refused_and_localhost_is_led_home() -> None:
    assert (await ask("http", host="evil.example:8701"))["status"] == 421
    answer = await ask("http", host="localhost:8701")
    assert (answer["status"], dict(answer["headers"])[b"location"]) == (307, f"{UI}/home?link=1".encode())
