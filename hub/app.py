"""The composition root: settings become databases, the live server, blueprints, and an order of starting and stopping.

    serve_hub        n Sanic workers, each with its own pool, live hub and nudge
    run_sequencer    the leader of the change pipeline, or a standby
    run_dispatcher   offers, one leader per region
    run_jobs         the clock's own work, one leader

Nothing else in the house sees `Settings`; everything below takes values.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from redis.asyncio import Redis
from sanic import Sanic
from sanic.worker.loader import AppLoader

from db.connection import DATABASE_AWAY, Database
from hub.auth.api import ENDPOINTS as AUTH
from hub.auth.entry_api import ENDPOINTS as SIGN_IN
from hub.auth.machine_api import ENDPOINTS as MACHINES
from hub.deliveries.api import ENDPOINTS as DELIVERIES
from hub.dispatch.loop import Dispatcher
from hub.gateway import access_log, errors, headers
from hub.gateway.authority import Authority
from hub.gateway.endpoint import Endpoints
from hub.gateway.hashing import Hasher
from hub.gateway.house import House
from hub.gateway.key_file import Rings, follow
from hub.gateway.nudge import Nudge
from hub.gateway.rate_limit import Limiter
from hub.gateway.tokens import Verified
from hub.gateway.watch import Watch
from hub.jobs import (
    archive_orders,
    audit_chain,
    expire_grants,
    expire_offers,
    expire_orders,
    fire_lines,
    forget,
    forget_sign_ins,
    reseal,
)
from hub.jobs.runner import run_jobs as run_all_jobs
from hub.kitchens.api import ENDPOINTS as KITCHENS
from hub.lines.api import ENDPOINTS as LINES
from hub.observability import logs, metrics
from hub.observability.health import Health, Workers
from hub.orders import tracking
from hub.orders.api import ENDPOINTS as ORDERS
from hub.provisions import (
    EMBEDDED_SCALE,
    allows_polling,
    drain_seconds_of,
    rings_of,
    sender_of,
    socket_limits_of,
    urls_of,
)
from hub.realtime.endings import end_all, for_ever
from hub.realtime.engine import LiveServer
from hub.realtime.garbage import tune_garbage_collector
from hub.realtime.joints import heed_every_signal, revive_workers
from hub.realtime.sequencer import Sequencer
from hub.realtime.server import LiveHub, LiveSettings
from hub.riders.api import ENDPOINTS as RIDERS
from hub.service.api import BLUEPRINT as SERVICE
from hub.service.asyncapi import asyncapi_document
from hub.service.openapi import openapi_document
from hub.settings import Settings
from hub.users.admin_api import ENDPOINTS as USERS
from hub.users.api import ENDPOINTS as ME
from hub.users.reviews import ENDPOINTS as REVIEWS

LOG = logs.get(__name__)
Told = Callable[[], None]
NOUNS: tuple[Endpoints, ...] = (
    AUTH,
    SIGN_IN,
    MACHINES,
    ME,
    USERS,
    REVIEWS,
    ORDERS,
    LINES,
    KITCHENS,
    DELIVERIES,
    RIDERS,
)
STATIC = Path(__file__).resolve().parent.parent / "ui" / "static"
LARGEST_BODY_BYTES = 64 * 1024
SLOWEST_REQUEST_SECONDS = 10
# Everybody comes back within a second while a worker starts: beyond Sanic's 100 the kernel lets them wait for seconds.
# Not more either: whoever waits longer than a client's patience (10 s) is served for nothing.
MOST_AT_THE_DOOR = 512
RETRY_SECONDS = 0.2
SETTLED_SECONDS = 0.05


def serve_hub(settings: Settings, told: Told) -> None:
    """Serve until SIGTERM. `told` is called by each worker once it takes requests."""
    Sanic.start_method = "fork"
    workers = Workers(settings.hub_workers)
    app = make_hub(settings, workers, told)
    app.register_listener(revive_workers, "main_process_ready")
    app.prepare(
        settings.hub_host, settings.hub_port, workers=settings.hub_workers, access_log=False, motd=False, debug=False,
        backlog=MOST_AT_THE_DOOR,
    )  # fmt: skip
    heed_every_signal(app)
    # Workers are forks of a main process that has everything loaded: one that died listens again within a second.
    Sanic.serve(primary=app, app_loader=AppLoader(factory=lambda: app))


def make_hub(settings: Settings, workers: Workers, told: Told) -> Sanic[Any, Any]:
    """One worker's application."""
    logs.configure(level=settings.log_level, form=settings.log_format, process="hub")
    app: Sanic[Any, Any] = Sanic("hotpass")
    app.config.update(
        ACCESS_LOG=False, REQUEST_MAX_SIZE=LARGEST_BODY_BYTES, REQUEST_TIMEOUT=SLOWEST_REQUEST_SECONDS,
        RESPONSE_TIMEOUT=30, KEEP_ALIVE_TIMEOUT=75, GRACEFUL_SHUTDOWN_TIMEOUT=5.0, WEBSOCKET_PING_INTERVAL=None,
        AUTO_EXTEND=False, OAS=False,
    )  # fmt: skip
    gate = headers.make_gate(
        hub_url=settings.hub_url,
        ui_url=settings.ui_url,
        further_origins=settings.allowed_origins,
        trusted_proxies=settings.trusted_proxies,
    )
    access_log.install(app)
    headers.install(app, gate)
    errors.install(app)
    app.blueprint([noun.blueprint for noun in NOUNS])
    app.blueprint([SERVICE, tracking.BLUEPRINT])
    app.static("/static", STATIC, name="static")
    app.ctx.track_page = tracking.read_page(STATIC)
    app.ctx.track_worker = tracking.read_worker(STATIC)
    app.ctx.openapi = openapi_document([route for noun in NOUNS for route in noun.routes])
    app.ctx.asyncapi = asyncapi_document(settings.hub_url.partition("://")[2])
    server = LiveServer(
        is_origin_allowed=lambda origin: origin is None or origin in gate.origins,
        client_address=partial(headers.address_of, gate),
        buffer_bytes=settings.client_buffer_bytes,
        allow_polling=allows_polling(settings),
        pending_per_address=socket_limits_of(settings).per_address,
        on_slow=lambda _: metrics.SLOW_CLIENTS.inc(),
        on_rate_limited=lambda _: metrics.EVENTS_REFUSED.inc(),
        on_drained=lambda sid: app.ctx.live.drained(sid),  # noqa: PLW0108 - it is made when the worker starts
    )
    server.attach(app)
    _live_and_die(app, server, settings, workers, told)
    return app


def _live_and_die(app: Sanic[Any, Any], server: LiveServer, settings: Settings, workers: Workers, told: Told) -> None:
    """Attach what a worker starts before its first request, and stops after its last."""
    urls = urls_of(settings)
    tasks: list[asyncio.Task[None]] = []

    async def start(app: Sanic[Any, Any]) -> None:
        workers.claim()
        database = Database(urls.database, size=settings.database_pool_size, application="hotpass hub")
        await started(database)
        redis = Redis.from_url(urls.redis, socket_keepalive=True, health_check_interval=30)
        authority, rings, nudge = Authority(database), rings_of(settings), Nudge(urls.redis)
        live = app.ctx.live = LiveHub(
            server=server, database=database, redis=redis, authority=authority, keys=rings.signing,
            settings=LiveSettings(
                redis_url=urls.redis, ring_changes=settings.topic_ring_changes, socket_limits=socket_limits_of(settings)
            ),
        )  # fmt: skip
        app.ctx.house = house_of(
            settings, database=database, redis=redis, authority=authority, rings=rings, nudge=nudge,
            take_positions=live.intake.take,
        )  # fmt: skip
        app.ctx.health = Health(workers)
        await live.start()
        loops = {
            "beat": partial(workers.beat, lambda: live.reader.silence_seconds),
            "nudge": nudge.run, "watch": app.ctx.house.watch.run, **following(settings, rings),
        }  # fmt: skip
        tasks.extend(asyncio.create_task(for_ever(name, run)) for name, run in loops.items())
        tune_garbage_collector()

    async def ready(app: Sanic[Any, Any]) -> None:
        # NOTE: Sanic loses a signal that comes while its own start still runs, so nobody is told before that is over.
        asyncio.get_running_loop().call_later(SETTLED_SECONDS, told)

    async def stop(app: Sanic[Any, Any]) -> None:
        await end_all(tasks)
        await app.ctx.live.stop()
        await app.ctx.house.limiter.stop()
        app.ctx.house.hasher.stop()
        await app.ctx.house.redis.aclose()
        await app.ctx.house.database.stop()

    async def drain(app: Sanic[Any, Any]) -> None:
        app.ctx.health.is_draining = True
        await asyncio.sleep(drain_seconds_of(settings))
        await app.ctx.live.drain()

    app.register_listener(start, "before_server_start")
    app.register_listener(ready, "after_server_start")
    app.register_listener(drain, "before_server_stop")
    app.register_listener(stop, "after_server_stop")


def house_of(
    settings: Settings, *, database: Database, redis: Redis, nudge: Nudge, rings: Rings, **parts: Any
) -> House:
    """What every handler of a worker may use; `parts` are those that the live hub has too."""
    is_embedded = settings.profile == "embedded"
    return House(
        database=database,
        redis=redis,
        nudge=nudge,
        keys=rings.signing,
        verified=Verified(rings.signing),
        data_keys=rings.data,
        limiter=Limiter(urls_of(settings).redis, scale=EMBEDDED_SCALE if is_embedded else 1),
        hasher=Hasher(rings.data),
        watch=Watch(database, nudge),
        send_text=sender_of(settings, redis),
        tracking_secret=rings.tracking_secret,
        access_token_seconds=settings.access_token_seconds,
        is_embedded=is_embedded,
        **parts,
    )


def following(settings: Settings, rings: Rings) -> dict[str, Callable[[], Awaitable[None]]]:
    """What keeps the rings of this process as their file says; nothing where they came in variables."""
    return {} if settings.key_file is None else {"keys": partial(follow, settings.key_file, rings)}


async def started(database: Database) -> None:
    """Open the pool; wait for the database for as long as it takes."""
    while True:
        try:
            await database.start()
        except DATABASE_AWAY as error:
            LOG.info("waiting for the database", error=str(error) or type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def run_sequencer(settings: Settings, told: Told) -> None:
    """Lead or stand by until SIGTERM."""
    urls = urls_of(settings)
    sequencer = Sequencer(database_url=urls.direct, redis_url=urls.redis, stream_length=settings.stream_length)
    _run(settings, "sequencer", told, partial(for_ever, "sequencer", sequencer.run))


def run_dispatcher(settings: Settings, told: Told) -> None:
    """Offer deliveries until SIGTERM."""
    urls = urls_of(settings)

    async def dispatch(database: Database, redis: Redis, nudge: Nudge) -> None:
        dispatcher = Dispatcher(database=database, redis=redis, direct_url=urls.direct, after=nudge)
        await for_ever("dispatcher", dispatcher.run)

    _run(settings, "dispatcher", told, partial(_with_engines, settings, "dispatcher", dispatch))


def run_jobs(settings: Settings, told: Told) -> None:
    """Do the clock's own work until SIGTERM."""
    urls, rings = urls_of(settings), rings_of(settings)
    jobs = (
        fire_lines.JOB, expire_orders.JOB, expire_offers.JOB, expire_grants.JOB, archive_orders.JOB,
        forget.job(settings.change_log_days), forget_sign_ins.JOB, audit_chain.job(rings),
        reseal.job(rings.data),
    )  # fmt: skip

    async def work(database: Database, redis: Redis, nudge: Nudge) -> None:
        async with asyncio.TaskGroup() as group:
            for name, run in following(settings, rings).items():
                group.create_task(for_ever(name, run))
            working = partial(run_all_jobs, database=database, direct_url=urls.direct, jobs=jobs, after=nudge)
            await for_ever("jobs", working)

    _run(settings, "jobs", told, partial(_with_engines, settings, "jobs", work))


async def _with_engines(
    settings: Settings, name: str, work: Callable[[Database, Redis, Nudge], Awaitable[None]]
) -> None:
    urls = urls_of(settings)
    database = Database(urls.database, size=settings.database_pool_size, application=f"hotpass {name}")
    await started(database)
    redis = Redis.from_url(urls.redis, socket_keepalive=True, health_check_interval=30)
    nudge = Nudge(urls.redis)
    nudging = asyncio.create_task(for_ever("nudge", nudge.run))
    try:
        await work(database, redis, nudge)
    finally:
        nudging.cancel()
        await redis.aclose()
        await database.stop()


def _run(settings: Settings, name: str, told: Told, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until SIGTERM or SIGINT."""
    logs.configure(level=settings.log_level, form=settings.log_format, process=name)

    async def until_stopped() -> None:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        tune_garbage_collector()
        told()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    uvloop.run(until_stopped())
