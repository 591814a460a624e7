"""The published documents are valid, and they are about what is really served."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import SecretStr
from sanic import Sanic

from hub.app import make_hub
from hub.domain.events import event_names
from hub.domain.roles import Permission
from hub.domain.topics import TopicKind
from hub.domain.views import ENTITIES, VIEWS
from hub.observability.health import Workers
from hub.settings import Settings
from tests.course import Cast, accepted, placed

# Files, and the socket's own path: documented by AsyncAPI.
NOT_HTTP = ("/static", "/socket.io")


@pytest.fixture(scope="module")
def app() -> Sanic[Any, Any]:
    """A hub that serves nobody."""
    nowhere = {"database_url": SecretStr("postgresql://nowhere"), "redis_url": SecretStr("redis://nowhere")}
    settings = Settings(profile="embedded", secret_key=SecretStr("x" * 48), **nowhere)
    app = make_hub(settings, Workers(1), lambda: None)
    Sanic.unregister_app(app)  # another may be made
    return app


def test_the_openapi_document_is_valid(app: Sanic[Any, Any]) -> None:
    validate(app.ctx.openapi)


def test_every_served_route_is_published_and_nothing_else(app: Sanic[Any, Any]) -> None:
    served = {
        (method.lower(), "/" + re.sub(r"<(\w+):\w+>", r"{\1}", route.path))
        for route in app.router.routes
        for method in route.methods - {"HEAD", "OPTIONS"}
        if not ("/" + route.path).startswith(NOT_HTTP)
    }
    paths = app.ctx.openapi["paths"]
    assert {(method, path) for path, operations in paths.items() for method in operations} == served


def test_every_operation_has_a_name_of_its_own(app: Sanic[Any, Any]) -> None:
    names = [one["operationId"] for operations in app.ctx.openapi["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


def test_every_permission_that_is_published_exists(app: Sanic[Any, Any]) -> None:
    told = {
        one["x-permission"]
        for operations in app.ctx.openapi["paths"].values()
        for one in operations.values()
        if "x-permission" in one
    }
    assert told <= {str(permission) for permission in Permission}


def test_every_keyed_write_asks_for_its_key(app: Sanic[Any, Any]) -> None:
    for path in ("/v1/orders", "/v1/orders/{order_id}/accept", "/v1/offers/{offer_id}/accept"):
        headers = {one["name"]: one["required"] for one in app.ctx.openapi["paths"][path]["post"]["parameters"]}
        assert headers["Idempotency-Key"] is True


async def test_bodies_follow_their_schemas(cast: Cast) -> None:
    document = (await cast.customer.get("/openapi.json")).body

    def accepts(path: str, body: object) -> bool:
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return bool(Draft202012Validator(schema | {"components": document["components"]}).is_valid(body))

    assert accepts("/v1/orders", cast.basket(2))
    assert not accepts("/v1/orders", cast.basket(2) | {"total_minor": 1})
    assert not accepts("/v1/orders", cast.basket(100))
    assert accepts("/v1/orders/{order_id}/reject", {"reason": "no gas"})
    assert not accepts("/v1/orders/{order_id}/reject", {"reason": " "})


def test_the_asyncapi_document_holds_together(app: Sanic[Any, Any]) -> None:
    document = app.ctx.asyncapi
    assert document["asyncapi"] == "3.0.0"
    messages = document["channels"]["live"]["messages"]
    for name, operation in document["operations"].items():
        assert operation["messages"] == [{"$ref": f"#/channels/live/messages/{name}"}]
        assert name in messages
    for message in messages.values():
        Draft202012Validator.check_schema(message["payload"])


def test_the_asyncapi_document_tells_every_message_of_the_protocol(app: Sanic[Any, Any]) -> None:
    messages = app.ctx.asyncapi["channels"]["live"]["messages"]
    told: dict[str, set[str]] = {"send": set(), "receive": set()}
    for key, one in app.ctx.asyncapi["operations"].items():
        told[one["action"]].add(messages[key]["name"])
    assert told["receive"] == {"subscribe", "unsubscribe", "authenticate", "position", "seen"}
    assert told["send"] == {
        "change", "head", "position", "revoked", "expiring", "resync", "draining", "closing",
    }  # fmt: skip


def test_the_asyncapi_document_knows_every_word_of_the_domain(app: Sanic[Any, Any]) -> None:
    change = app.ctx.asyncapi["channels"]["live"]["messages"]["change"]["payload"]["properties"]
    assert change["entity"]["enum"] == list(ENTITIES)
    assert set(event_names(ENTITIES)) == set(change["event"]["enum"])
    assert app.ctx.asyncapi["x-views"].keys() == VIEWS.keys()
    for kind in TopicKind:
        assert re.match(change["topic"]["pattern"], kind if kind == "administration" else f"{kind}:x")
    assert not re.match(change["topic"]["pattern"], "everything:x")


async def test_a_row_over_http_shows_what_its_view_says(cast: Cast) -> None:
    made = await placed(cast)
    assert made["order"].keys() == {*VIEWS["order"][TopicKind.ORDER], "version"}
    seen = (await accepted(cast))["order"]
    assert seen.keys() == {*VIEWS["order"][TopicKind.OPERATIONS], "version"}
