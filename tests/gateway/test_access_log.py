"""The line that every request leaves: who, what, how long; one line of JSON whatever was sent, and nothing secret."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from hub.observability.logs import MASK, redact, to_json
from tests.course import Cast


def lines_of(text: str, request_id: str) -> list[dict[str, object]]:
    """The lines of one request."""
    return [json.loads(line) for line in text.splitlines() if request_id in line]


async def test_a_request_leaves_one_line(cast: Cast, capfd: pytest.CaptureFixture[str]) -> None:
    request_id, secret = uuid4().hex, "a-secret-of-the-query"
    answer = await cast.customer.get(f"/orders/{uuid4()}?pin={secret}", **{"X-Request-ID": request_id})
    told = capfd.readouterr().err
    [line] = lines_of(told, request_id)
    assert answer.status == 400
    assert {name: line[name] for name in ("event", "route", "method", "status", "actor", "process", "level")} == {
        "event": "answered", "route": "/v1/orders/<order_id:uuid>", "method": "GET", "status": 400,
        "actor": cast.customer.person_id, "process": "hub", "level": "info",
    }  # fmt: skip
    assert isinstance(line["ms"], float)
    assert str(line["timestamp"]).endswith("Z")
    assert secret not in told
    assert str(cast.customer.headers()["Authorization"]) not in told


async def test_a_probe_leaves_none(cast: Cast, capfd: pytest.CaptureFixture[str]) -> None:
    request_id = uuid4().hex
    async with cast.session.get("/livez", headers={"X-Request-ID": request_id}) as answer:
        assert answer.headers["X-Request-ID"] == request_id
    assert lines_of(capfd.readouterr().err, request_id) == []


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1, 2}, b"\xff", float("nan"), "a\nb\r\x1b[31m"])
def test_a_line_is_one_line_of_json_whatever_stands_in_it(value: object) -> None:
    line = to_json({"event": "x", "value": value})
    assert b"\n" not in line
    assert json.loads(line)["event"] == "x"


def test_a_field_with_a_secret_name_is_masked() -> None:
    event = {"event": "x", "refresh_token": "1", "PIN": "2", "customer_phone": "3", "kitchen_id": "k"}
    assert redact(None, "", event) == {
        "event": "x", "refresh_token": MASK, "PIN": MASK, "customer_phone": MASK, "kitchen_id": "k",
    }  # fmt: skip
