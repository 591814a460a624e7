"""What operators ask of a hub: alive, whole, measured."""

from __future__ import annotations

import os
import re

import aiohttp

from hub.observability.health import Health, Workers
from tests.course import Cast
from tests.town import until


async def test_a_worker_that_answers_is_alive(cast: Cast) -> None:
    async with cast.session.get("/livez") as answer:
        assert (answer.status, await answer.json()) == (200, {"live": True})


async def test_a_hub_is_ready_once_it_is_whole(cast: Cast) -> None:
    async def whole() -> dict[str, object] | None:
        async with cast.session.get("/readyz") as answer:
            return await answer.json() if answer.status == 200 else None

    report = await until(whole)
    assert (report["workers_up"], report["workers_expected"], report["draining"]) == (1, 1, False)
    assert report["pipeline_silence_seconds"] < 5
    assert re.fullmatch(r"[0-9a-f]{16}", report["start"])


def test_a_start_is_not_ready_before_all_its_workers_are() -> None:
    workers = Workers(2)
    health = Health(workers)
    assert (health.report()["ready"], health.report()["workers_up"]) == (False, 0)
    workers.claim()
    assert health.report()["ready"] is False
    workers.claim()
    assert (health.report()["ready"], health.report()["workers_up"]) == (True, 2)


def test_a_worker_that_misses_changes_is_not_ready() -> None:
    workers = Workers(1)
    workers.claim()
    workers.tell(60.0)
    report = Health(workers).report()
    assert (report["ready"], report["workers_up"], report["deafest_worker"]) == (False, 1, os.getpid())
    assert report["pipeline_silence_seconds"] >= 60


def test_a_worker_that_goes_is_not_ready() -> None:
    workers = Workers(1)
    workers.claim()
    health = Health(workers)
    health.is_draining = True
    assert health.report()["ready"] is False


def test_each_start_has_a_name_of_its_own() -> None:
    assert Workers(1).start != Workers(1).start


async def test_metrics_count_by_route_and_hold_nothing_private(cast: Cast) -> None:
    order_id = (await cast.customer.done("/orders", cast.basket()))["order"]["id"]
    await cast.customer.get(f"/orders/{order_id}")
    async with cast.session.get("/metrics") as answer:
        text = await answer.text()
    assert answer.status == 200
    assert 'route="/v1/orders/<order_id:uuid>"' in text
    assert order_id not in text
    assert str(cast.customer.person_id) not in text


async def test_nobody_must_sign_in_to_ask(cast: Cast, town_url: str) -> None:
    async with aiohttp.ClientSession(town_url) as session:
        for path in ("/livez", "/readyz", "/metrics", "/v1/openapi.json", "/v1/asyncapi.json"):
            async with session.get(path) as answer:
                assert answer.status in {200, 503}
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
