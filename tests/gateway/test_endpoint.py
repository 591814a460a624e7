"""One request's walk: what is refused, how, with which words; and that no input whatever is answered with a 5xx."""

from __future__ import annotations

import re
from uuid import uuid4

import orjson
import pytest

from tests.caller import Answer, Caller, Json
from tests.course import Cast, placed
from tests.town import person

PROBLEM = {"type", "title", "status", "code", "detail", "request_id"}
# What no handler should ever meet.
HOSTILE: dict[str, bytes] = {
    "not json": b"{",
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "NaN": b'{"note": NaN, "reason": NaN, "minutes": NaN, "name": NaN}',
    "infinity": b'{"drop": {"lat": 1e999, "lon": -1e999}, "lat": 1e999, "minutes": 1e999}',
    "endless number": b'{"minutes": ' + b"9" * 4000 + b', "reason": "x", "cash_minor": ' + b"9" * 400 + b"}",
    "not utf-8": b'{"reason": "\xff\xfe", "note": "\xff", "name": "\xff"}',
    "a lone surrogate": b'{"reason": "\\ud800", "note": "\\udfff", "name": "\\ud800", "code": "\\ud800"}',
    "nul": b'{"reason": "a\\u0000b", "note": "\\u0000", "name": "\\u0000", "code": "\\u0000", "pin": "\\u0000"}',
    "control": b'{"reason": "a\\u001bb", "note": "\\u007f", "name": "\\u0007", "code": "\\u0001"}',
    "an unknown field": b'{"reason": "x", "__proto__": {}, "admin": true}',
    "the same field twice": b'{"reason": "x", "reason": "y"}',
    "deep arrays": b'{"reason": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "deep objects": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "wrong types": b'{"reason": 1, "minutes": "5", "is_rush": "yes", "code": [], "pin": {}, "note": null, "items": {}}',
}


@pytest.fixture
async def everybody(cast: Cast) -> Caller:
    """Somebody whom no permission stops."""
    grants = [("customer", "own"), ("rider", "own"), ("manager", "*"), ("administrator", "*")]
    return cast.as_person(await person(cast.conn, "Everybody", *grants))


def is_problem(answer: Answer) -> bool:
    """A refusal by RFC 9457 with our own fields."""
    told = answer.headers["Content-Type"] == "application/problem+json" and answer.body.keys() >= PROBLEM
    return bool(told and answer.body["status"] == answer.status and answer.body["type"].endswith(answer.code))


async def test_a_refusal_is_a_problem_document_with_the_request_id(cast: Cast) -> None:
    answer = await cast.customer.get(f"/orders/{uuid4()}", **{"X-Request-ID": "my-own-id-1"})
    assert is_problem(answer)
    assert answer.body["request_id"] == answer.headers["X-Request-ID"] == "my-own-id-1"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space in it", "x;drop", ""])
async def test_a_strange_request_id_is_replaced(cast: Cast, given: str) -> None:
    answer = await cast.customer.get("/kitchens", **{"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "auth.invalid"),
        ("Bearer", "auth.invalid"),
        ("Basic YTpi", "auth.invalid"),
        ("Bearer a.b.c", "auth.invalid"),
    ],
)
async def test_a_strange_token_is_refused(cast: Cast, header: str, code: str) -> None:
    answer = await cast.as_person(None).get("/orders", Authorization=header)
    assert (answer.refusal, answer.headers["WWW-Authenticate"]) == ((401, code), "Bearer")


async def test_an_unknown_version_is_answered_with_those_that_are(cast: Cast) -> None:
    async with cast.session.get("/v2/orders") as response:
        body = await response.json(content_type=None)
    assert (response.status, body["code"], body["versions"]) == (404, "api.unknown_version", ["v1"])


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1/orders/x", "/v1/orders/%00", "/v1//orders", "/v12x"])
async def test_a_path_that_is_none_is_not_found(cast: Cast, path: str) -> None:
    async with cast.session.get(path, headers=cast.customer.headers()) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (404, "not_found")


async def test_another_method_is_told_so(cast: Cast) -> None:
    answer = await cast.customer.send("DELETE", "/orders", None, {})
    assert (answer.refusal, is_problem(answer)) == ((405, "method_not_allowed"), True)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"reason": "x", "colour": "red"}, "$"),
        ({"reason": 7}, "$.reason"),
        ({}, "$"),
        ({"reason": "bell\u0007"}, "$.reason"),
        ({"reason": "a\u0000b"}, "$.reason"),
        ({"reason": "\u007f"}, "$.reason"),
    ],
)
async def test_a_fault_in_the_body_is_told_with_its_path(cast: Cast, body: Json, path: str) -> None:
    answer = await cast.manager.post(f"/orders/{uuid4()}/reject", body)
    assert (answer.status, answer.body["path"], is_problem(answer)) == (422, path, True)


async def test_a_fault_deep_in_the_body_is_told_with_its_path(cast: Cast) -> None:
    items = [{"item_id": cast.town.item_ids[0]}, {"item_id": cast.town.item_ids[1], "options": "no\u0000nion"}]
    answer = await cast.customer.post("/quotes", cast.basket() | {"items": items})
    assert (answer.code, answer.body["path"]) == ("body.bad_text", "$.items[1].options")


async def test_text_of_all_languages_is_welcome(cast: Cast) -> None:
    note = "नमस्ते, sans oignons 🧅\n\tmerci"
    order = await cast.customer.done("/orders", cast.basket() | {"note": note})
    assert order["order"]["note"] == note


@pytest.mark.parametrize("name", ["not json", "NaN", "not utf-8", "a lone surrogate", "infinity"])
async def test_what_is_no_json_is_refused(cast: Cast, name: str) -> None:
    answer = await cast.manager.post(f"/orders/{uuid4()}/reject", HOSTILE[name])
    assert answer.status in {400, 422} and is_problem(answer)


async def test_too_deep_is_refused(cast: Cast) -> None:
    for name in ("deep arrays", "deep objects"):
        answer = await cast.manager.post(f"/orders/{uuid4()}/reject", HOSTILE[name])
        assert answer.status in {400, 413, 422} and is_problem(answer)


async def test_a_body_beyond_64_kib_is_refused_whole(cast: Cast) -> None:
    order_id = (await placed(cast))["order"]["id"]
    body = orjson.dumps({"note": "x" * (64 * 1024)})
    answer = await cast.manager.post(f"/orders/{order_id}/amend", body)
    assert (answer.refusal, is_problem(answer)) == ((413, "too_large"), True)


async def test_what_is_not_allowed_is_refused_before_the_body_is_read(cast: Cast) -> None:
    assert (await cast.customer.post(f"/orders/{uuid4()}/accept", HOSTILE["not json"])).refusal == (403, "forbidden")


async def test_no_input_is_answered_with_a_5xx(cast: Cast, everybody: Caller) -> None:
    """Every route that writes, every hostile body, from somebody who may do everything."""
    paths = (await everybody.get("/openapi.json")).body["paths"]
    tried = 0
    for path, operations in paths.items():
        for method in operations.keys() - {"get"}:
            real = re.sub(r"\{\w+\}", lambda _: str(uuid4()), path.removeprefix("/v1"))
            for body in HOSTILE.values():
                headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
                answer = await everybody.send(method.upper(), real, body, headers)
                assert answer.status < 400 or is_problem(answer), (method, path, answer)
                tried += 1
    assert tried > 300


@pytest.mark.parametrize("query", ["after=%00", "limit=-1", "limit=1e3", "after=" + "9" * 3000, "status=%F0%28%8C%BC"])
async def test_no_query_is_answered_with_a_5xx(cast: Cast, everybody: Caller, query: str) -> None:
    paths = (await everybody.get("/openapi.json")).body["paths"]
    for path, operations in paths.items():
        if "get" in operations:
            real = re.sub(r"\{\w+\}", lambda _: str(uuid4()), path.removeprefix("/v1"))
            answer = await everybody.get(f"{real}?{query}")
            assert answer.status < 400 or is_problem(answer), (path, answer)
