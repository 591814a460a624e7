"""The UI server: pages, session routes and static files behind one guard; `serve` is called by `hotpass serve ui`.

One process is one NiceGUI worker; several need cookie stickiness. Live data never passes here: each page's element has
its own socket to the hub, so this server may restart while the boards go on.
"""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import FileResponse, PlainTextResponse
from nicegui import app, ui

from ui.guard import LOOPBACK_NAMES, Guard
from ui.pages import home, kitchen, login, operations, rider
from ui.session import Cookie, session_routes

STATIC = Path(__file__).parent / "static"
RECONNECT_SECONDS = 45.0
KEPT_MESSAGES = 200


def serve(
    *, host: str, port: int, hub_url: str, ui_url: str, storage_secret: str, source_address: str | None = None
) -> None:
    """Serve the screens until the process is told to stop.

    `hub_url` and `ui_url` are the public addresses as browsers see them; without TLS only loopback is accepted.
    The hub is called from `source_address`, which it must trust to name the browsers' own addresses.
    Raises `ValueError` for a plain `ui_url` elsewhere: the session cookie would be readable on the way.
    """
    is_secure = ui_url.startswith("https://")
    if not is_secure and not ui_url.removeprefix("http://").startswith(LOOPBACK_NAMES):
        raise ValueError(f"{ui_url}: the screens need https except on loopback")
    arrange(hub_url=hub_url.rstrip("/"), is_secure=is_secure, source_address=source_address)
    app.add_middleware(Guard, ui_url=ui_url, hub_url=hub_url)
    ui.run(
        host=host,
        port=port,
        title="Hotpass",
        favicon=STATIC / "icon.svg",
        dark=None,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_SECONDS,
        message_history_length=KEPT_MESSAGES,
        storage_secret=storage_secret,
        reload=False,
        show=False,
        tailwind=False,
        show_welcome_message=False,
        # uvicorn would otherwise believe any forwarded address that comes from loopback
        proxy_headers=False,
        # uvicorn would otherwise wait for ever for open browser sockets
        timeout_graceful_shutdown=2,
    )


def arrange(*, hub_url: str, is_secure: bool, source_address: str | None = None) -> None:
    """Put every route onto NiceGUI's application; the hub is named to the pages here."""
    cookie = Cookie(is_secure=is_secure)
    app.include_router(session_routes(hub_url=hub_url, cookie=cookie, source_address=source_address))
    app.add_static_files("/static", STATIC, max_cache_age=0)
    # The boards say themselves what they wait for; Quasar's bar over the whole page says it to nobody who cannot see.
    app.config.quasar_config["loadingBar"]["skipHijack"] = True

    @app.get("/livez")
    def alive() -> PlainTextResponse:
        return PlainTextResponse("ok")

    # a service worker rules only what lies below its own address
    @app.get("/worker.js")
    def worker() -> FileResponse:
        return FileResponse(STATIC / "worker.js", media_type="text/javascript")

    for page in (home, login, kitchen, rider, operations):
        page.add(hub_url=hub_url)
