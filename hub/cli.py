"""`hotpass …`: every command of the house, each with `--json`; exit code 0 only when all is well.

The commands here only read what was typed and hand settings on; the work is done in the rooms. Heavy modules are
imported inside the commands, so that `hotpass --help` answers at once.
"""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from hub.demo.day import Day
    from hub.settings import Settings

DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")
SECONDS_OF = {"": 1, "s": 1, "m": 60, "h": 3600}
USAGE = 2

app = typer.Typer(
    name="hotpass",
    help="One live truth for cloud kitchens: from a committed Postgres row to every screen that may see it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
users = typer.Typer(no_args_is_help=True, help="People and what they may do.")
app.add_typer(users, name="users")
bench = typer.Typer(no_args_is_help=True, help="Figures of this machine: real processes, independent clients.")
app.add_typer(bench, name="bench")

Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; progress goes to standard error.")
]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data directory of the embedded engines.")]
Plain = Annotated[bool, typer.Option("--plain", help="No colours, no line that rewrites itself.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="This port; 0 takes any free one.")]
Speed = Annotated[float, typer.Option(min=0.1, max=3600, help="Product seconds in a real second.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same city and the same chances.")]


class Kind(StrEnum):
    """What a process can be."""

    HUB = "hub"
    UI = "ui"
    SEQUENCER = "sequencer"
    DISPATCHER = "dispatcher"
    JOBS = "jobs"


def duration(text: str) -> float:
    """Seconds of `90`, `60s`, `5m` or `1.5h`."""
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a duration; write 60s, 5m or 1h")
    return float(found[1]) * SECONDS_OF[found[2]]


For = Annotated[
    float | None, typer.Option("--for", parser=duration, metavar="T", help="Stop by itself after T: 60s, 5m, 1h.")
]


@app.command()
def demo(
    for_: For = None,
    speed: Speed = 60.0,
    orders_per_minute: Annotated[float, typer.Option(min=0.1, max=3000, help="Orders a real minute.")] = 60.0,
    seed: Seed = 1,
    plain: Plain = False,
    json: Json = False,
    data: Data = None,
    hub_port: Port = None,
    ui_port: Port = None,
    hub_workers: Annotated[int, typer.Option(min=1, max=64, help="Hub worker processes.")] = 2,
) -> None:
    """Run everything on this machine, with a simulated city and a link to try each role."""
    wish: dict[str, Any] = {"for_seconds": for_, "speed": speed, "orders_per_minute": orders_per_minute, "seed": seed}
    _demonstrate(
        wish | {"hub_port": hub_port, "ui_port": ui_port, "hub_workers": hub_workers}, data, plain=plain, json=json
    )


@app.command()
def replay(
    path: Annotated[
        Path, typer.Argument(exists=True, help="A folder in the Grubhub text format, or a file of our own.")
    ],
    speed: Speed = 60.0,
    for_: For = None,
    seed: Seed = 1,
    plain: Plain = False,
    json: Json = False,
    data: Data = None,
) -> None:
    """Live a recorded service day against everything on this machine."""
    from hub.demo.recording import RecordingError, load_day

    try:
        day: Day = load_day(path)
    except RecordingError as error:
        _fail(str(error), json=json)
    _demonstrate({"day": day, "speed": speed, "for_seconds": for_, "seed": seed}, data, plain=plain, json=json)


def _demonstrate(wish: dict[str, Any], data: Path | None, *, plain: bool, json: bool) -> None:
    from hub.embedded.demonstration import Wish, demonstrate
    from hub.embedded.readout import Readout

    readout = Readout(plain=plain, json=json)
    result = demonstrate(Wish(directory=data or _settings().data_directory, **wish), readout)
    readout.result(result)
    raise typer.Exit(0 if result["is_well"] else 1)


@bench.command()
def pipeline(
    rates: Annotated[str, typer.Option(help="Changes per second, one case each.")] = "200,500,1000",
    for_: Annotated[float, typer.Option("--for", parser=duration, metavar="T", help="How long each case runs.")] = 6.0,
    hub_workers: Annotated[int, typer.Option(min=1, max=64, help="Hub worker processes.")] = 1,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """From a committed row to three hundred subscribers: delay, CPU per change, and what was lost."""
    from hub.embedded.benchmark import PipelineWish, benchmark_pipeline
    from hub.embedded.readout import Readout

    readout = Readout(plain=plain, json=json)
    wanted = tuple(float(rate) for rate in rates.split(","))
    result = benchmark_pipeline(PipelineWish(rates=wanted, seconds=for_, hub_workers=hub_workers), readout)
    readout.result(result)
    raise typer.Exit(0 if result["is_well"] else 1)


@app.command()
def serve(kind: Kind, json: Json = False) -> None:
    """Run one process against the servers of HOTPASS_DATABASE_URL and HOTPASS_REDIS_URL, until SIGTERM or Ctrl-C."""
    from hub.embedded.readiness import announce

    settings = _settings()
    if json:
        settings = settings.model_copy(update={"log_format": "json"})
    told = partial(announce, settings.ready_socket)
    if kind is Kind.UI:
        _serve_ui(settings, told)
        return
    from hub import app as house

    start = {
        Kind.HUB: house.serve_hub,
        Kind.SEQUENCER: house.run_sequencer,
        Kind.DISPATCHER: house.run_dispatcher,
        Kind.JOBS: house.run_jobs,
    }[kind]
    start(settings, told)


def _serve_ui(settings: Settings, told: Any) -> None:
    from nicegui import app as screens

    from ui.app import serve as serve_ui

    if settings.ui_storage_secret is None:
        _fail("HOTPASS_UI_STORAGE_SECRET is not set; make one with: openssl rand -base64 48", json=False)
    screens.on_startup(told)
    serve_ui(
        host=settings.ui_host,
        port=settings.ui_port,
        hub_url=settings.hub_url,
        ui_url=settings.ui_url,
        storage_secret=settings.ui_storage_secret.get_secret_value(),
    )


@app.command()
def migrate(json: Json = False, data: Data = None) -> None:
    """Bring the database to the newest schema."""
    from db.migrate import migrate as to_newest
    from db.migrate import newest_revision

    to_newest(_database_url(_settings(), data, json=json))
    _say(
        {"revision": newest_revision(), "is_well": True},
        f"The schema is at {newest_revision()}, the newest.",
        json=json,
    )


@app.command()
def doctor(json: Json = False, data: Data = None) -> None:
    """Look whether this machine and its servers can run Hotpass, and say what to do."""
    import asyncio
    from dataclasses import asdict

    from hub.observability.doctor import examine

    settings = _settings()
    database_url, redis_url = _urls(settings, data)
    ports = {"Hub": settings.hub_port, "UI": settings.ui_port}
    directory = data or settings.data_directory
    findings = asyncio.run(
        examine(database_url=database_url, redis_url=redis_url, data_directory=directory, ports=ports)
    )
    is_well = all(finding.verdict != "fail" for finding in findings)
    lines = [
        f"{row.verdict:<5} {row.subject:<9} {row.found}{'  → ' if row.action else ''}{row.action}" for row in findings
    ]
    _say({"findings": [asdict(row) for row in findings], "is_well": is_well}, "\n".join(lines), json=json)
    raise typer.Exit(0 if is_well else 1)


def _settings() -> Settings:
    from hub.settings import Settings

    return Settings()


def _urls(settings: Settings, data: Path | None) -> tuple[str | None, str | None]:
    """The direct DSN and the Redis URL: those of the settings, else of the demo that runs in the data directory."""
    from hub.embedded.engines import running_urls

    database = settings.database_direct_url or settings.database_url
    if database is None or data is not None:
        return running_urls(data or settings.data_directory) or (None, None)
    return database.get_secret_value(), settings.redis_url.get_secret_value() if settings.redis_url else None


def _database_url(settings: Settings, data: Path | None, *, json: bool) -> str:
    url, _ = _urls(settings, data)
    if url is None:
        _fail("No database: set HOTPASS_DATABASE_URL, or give --data DIR of a running `hotpass demo`.", json=json)
    return url


def _say(result: dict[str, Any], text: str, *, json: bool) -> None:
    import orjson

    typer.echo(orjson.dumps(result, default=str) if json else text)


def _fail(message: str, *, json: bool, code: int = 1) -> NoReturn:
    _say({"is_well": False, "error": message}, "", json=True) if json else typer.echo(message, err=True)
    raise typer.Exit(code)


def main() -> None:
    """The entry point: expected faults become one message that says what to do, and exit code 1."""
    from pydantic import ValidationError

    from hub.embedded.errors import EmbeddedError

    try:
        app()
    except EmbeddedError as error:
        message = str(error)
    except ValidationError as error:
        message = "\n".join(
            f"HOTPASS_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()
        )
    except KeyboardInterrupt:
        message = "Stopped."
    if "--json" in sys.argv:
        _say({"is_well": False, "error": message}, "", json=True)
    else:
        typer.echo(message, err=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
