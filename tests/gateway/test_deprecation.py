"""A route that goes away says so: in every answer's headers, in the document, with what takes its place."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from openapi_spec_validator import validate

from hub import app
from hub.gateway.deprecation import Deprecation
from hub.gateway.endpoint import Call, Endpoints
from tests.town import opened, sequencing

SINCE, SUNSET = datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 5, 1, 12, tzinfo=UTC)
LEAVING = Deprecation(since=SINCE, sunset=SUNSET, successor="/orders/<order_id:uuid>")
OLD = Endpoints("old")


@OLD.route(
    "GET",
    "/tickets/<order_id:uuid>",
    summary="Read a ticket",
    is_public=True,
    answer={"ticket": str},
    deprecation=LEAVING,
)
async def read_ticket(call: Call) -> Any:
    """`{ticket}`, as it was read before orders were."""
    return {"ticket": call.ids["order_id"]}


@pytest.fixture
async def url(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A hub that serves one route more than the product."""
    monkeypatch.setattr(app, "NOUNS", (*app.NOUNS, OLD))
    async with sequencing(database_url, redis_url), opened(database_url, redis_url) as (url, _):
        yield url


async def test_a_deprecated_route_says_so_in_answers_and_refusals(url: str) -> None:
    order_id = str(uuid4())
    async with aiohttp.ClientSession(url) as session:
        for path, status in ((f"/v1/tickets/{order_id}", 200), (f"/v1/tickets/{order_id}?x=1", 400)):
            async with session.get(path) as answer:
                assert answer.status == status
                assert re.fullmatch(r"@(\d+)", answer.headers["Deprecation"])
                assert int(answer.headers["Deprecation"][1:]) == SINCE.timestamp()
                assert parsedate_to_datetime(answer.headers["Sunset"]) == SUNSET
                assert answer.headers["Link"] == f'</v1/orders/{order_id}>; rel="successor-version"'
                assert "RateLimit-Limit" in answer.headers
        async with session.get("/v1/clock") as answer:
            assert not answer.headers.keys() & {"Deprecation", "Sunset", "Link"}


async def test_the_document_marks_it(url: str) -> None:
    async with aiohttp.ClientSession(url) as session, session.get("/v1/openapi.json") as answer:
        document = await answer.json()
    validate(document)
    operation = document["paths"]["/v1/tickets/{order_id}"]["get"]
    assert (operation["deprecated"], operation["x-sunset"]) == (True, SUNSET.isoformat())
    assert operation["responses"]["200"]["headers"].keys() >= {"Deprecation", "Sunset", "Link"}
    assert [path for path, one in document["paths"].items() if any(o.get("deprecated") for o in one.values())] == [
        "/v1/tickets/{order_id}"
    ]


@pytest.mark.parametrize(
    ("since", "sunset"),
    [(SUNSET, SINCE), (SINCE, SINCE), (SINCE.replace(tzinfo=None), SUNSET), (SINCE, SUNSET.replace(tzinfo=None))],
)
def test_a_deprecation_has_two_times_in_order(since: datetime, sunset: datetime) -> None:
    with pytest.raises(ValueError, match=r"UTC|before its sunset"):
        Deprecation(since=since, sunset=sunset, successor="/x")
