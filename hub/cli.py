"""`hotpass …`: every command of the house, each with `--json`; exit code 0 only when all is well.

The commands here only read what was typed and hand settings on; the work is done in the rooms. Heavy modules are
imported inside the commands, so that `hotpass --help` answers at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.arguments import (
    USAGE,
    Data,
    For,
    Json,
    Plain,
    Port,
    Seed,
    Speed,
    fail,
    find_servers,
    found_rings,
    needed_database,
    read_settings,
    say,
)
from hub.benchmarks import bench
from hub.key_commands import keys

if TYPE_CHECKING:
    from hub.demo.day import Day
    from hub.settings import Settings

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
app.add_typer(bench, name="bench")
app.add_typer(keys, name="keys")


class Kind(StrEnum):
    """What a process can be."""

    HUB = "hub"
    UI = "ui"
    SEQUENCER = "sequencer"
    DISPATCHER = "dispatcher"
    JOBS = "jobs"


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
        fail(str(error), json=json)
    _demonstrate({"day": day, "speed": speed, "for_seconds": for_, "seed": seed}, data, plain=plain, json=json)


def _demonstrate(wish: dict[str, Any], data: Path | None, *, plain: bool, json: bool) -> None:
    from hub.embedded.demonstration import Wish, demonstrate
    from hub.embedded.readout import Readout

    readout = Readout(plain=plain, json=json)
    result = demonstrate(Wish(directory=data or read_settings().data_directory, **wish), readout)
    readout.result(result)
    raise typer.Exit(0 if result["is_well"] else 1)


@app.command()
def serve(kind: Kind, json: Json = False) -> None:
    """Run one process against the servers of HOTPASS_DATABASE_URL and HOTPASS_REDIS_URL, until SIGTERM or Ctrl-C."""
    from hub.embedded.lifeline import bind_forks
    from hub.embedded.readiness import announce

    bind_forks()
    settings = read_settings()
    if json:
        settings = settings.model_copy(update={"log_format": "json"})
    told = partial(announce, settings.ready_socket)
    if kind is Kind.UI:
        _serve_ui(settings, told)
        return
    if kind is Kind.HUB:
        from hub.observability.exposition import share_between_workers
        from hub.realtime.garbage import hold_garbage_collector

        hold_garbage_collector()
        share_between_workers()
    from hub.realtime.deferred import defer_what_is_seldom_used

    defer_what_is_seldom_used()
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
        fail("HOTPASS_UI_STORAGE_SECRET is not set; make one with: openssl rand -base64 48", json=False)
    screens.on_startup(told)
    serve_ui(
        host=settings.ui_host,
        port=settings.ui_port,
        hub_url=settings.hub_url,
        ui_url=settings.ui_url,
        storage_secret=settings.ui_storage_secret.get_secret_value(),
        source_address=settings.ui_source_address,
    )


@app.command()
def migrate(json: Json = False, data: Data = None) -> None:
    """Bring the database to the newest schema."""
    from db.migrate import migrate as to_newest
    from db.migrate import newest_revision

    to_newest(needed_database(read_settings(), data, json=json))
    say(
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

    settings = read_settings()
    database_url, redis_url = find_servers(settings, data)
    ports = {"Hub": settings.hub_port, "UI": settings.ui_port}
    directory = data or settings.data_directory
    findings = asyncio.run(
        examine(database_url=database_url, redis_url=redis_url, data_directory=directory, ports=ports)
    )
    is_well = all(finding.verdict != "fail" for finding in findings)
    lines = [
        f"{row.verdict:<5} {row.subject:<9} {row.found}{'  → ' if row.action else ''}{row.action}" for row in findings
    ]
    say({"findings": [asdict(row) for row in findings], "is_well": is_well}, "\n".join(lines), json=json)
    raise typer.Exit(0 if is_well else 1)


@app.command()
def verify(
    anchor: Annotated[
        str | None, typer.Option(help="An audit anchor from the log of the jobs: finds an audit that was cut short.")
    ] = None,
    json: Json = False,
    data: Data = None,
) -> None:
    """Recompute from the rows of the database what must hold over all of them, the chain of the audit included."""
    import asyncio

    from db.audit import Anchor
    from db.invariants import verify as recompute

    settings = read_settings()
    try:
        known = None if anchor is None else Anchor.read(anchor)
    except ValueError:
        fail(f"{anchor!r} is no anchor; the jobs log them as NUMBER:HASH.", json=json, code=USAGE)
    rings = found_rings(settings, data)
    keys = () if rings is None else rings.anchor_keys
    found = asyncio.run(recompute(needed_database(settings, data, json=json), keys=keys, anchor=known))
    is_well = all(row["holds"] for row in found.values())
    lines = [f"{'ok  ' if row['holds'] else 'FAIL'} {row['fact']}{_shown(row['places'])}" for row in found.values()]
    say({"invariants": found, "is_well": is_well}, "\n".join(lines), json=json)
    raise typer.Exit(0 if is_well else 1)


def _shown(places: list[str]) -> str:
    return "".join(f"\n       {place}" for place in places)


@users.command()
def roles(json: Json = False) -> None:
    """Print who may do what, in Markdown."""
    from hub.app import NOUNS
    from hub.users.matrix import page
    from hub.users.roles import role_table

    text = page([route for noun in NOUNS for route in noun.routes])
    say({"roles": role_table()}, text.rstrip("\n"), json=json)


@users.command()
def add(
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="customer, cook, expediter, rider, manager, dispatcher, administrator, …")],
    scope: Annotated[str, typer.Option(help="*, region:NAME, kitchen:ID or own.")],
    locale: Annotated[str, typer.Option(help="A language such as en.")] = "en",
    region: Annotated[str | None, typer.Option(help="Where a rider works.")] = None,
    token: Annotated[bool, typer.Option("--token", help="Sign the person in, and print the tokens.")] = False,
    json: Json = False,
    data: Data = None,
) -> None:
    """Add a person with a role within a scope."""
    import asyncio

    import asyncpg

    from hub.auth.enrolment import Newcomer, add_newcomer
    from hub.domain.roles import Role

    if role not in tuple(Role):
        fail(f"{role!r} is not a role; use one of: {', '.join(Role)}", json=json, code=USAGE)
    settings = read_settings()
    url = needed_database(settings, data, json=json)
    rings = found_rings(settings, data) if token else None
    if token and rings is None:
        fail("No secret key to sign tokens: set HOTPASS_SECRET_KEY, or give --data DIR.", json=json)
    who = Newcomer(name=name, role=Role(role), scope=scope, locale=locale, region=region)
    try:
        ring = None if rings is None else rings.signing
        added = asyncio.run(add_newcomer(url, who, ring=ring, token_seconds=settings.access_token_seconds))
    except asyncpg.CheckViolationError:
        fail(f"{scope!r} is not a scope; write *, region:NAME, kitchen:ID or own", json=json, code=USAGE)
    except ValueError as error:
        fail(str(error), json=json, code=USAGE)
    text = f"Added {name}, {role} within {scope}: {added['person_id']}"
    say(added | {"is_well": True}, "\n".join([text, *(f"{key} {added[key]}" for key in list(added)[1:])]), json=json)


def main() -> None:
    """The entry point: expected faults become one message that says what to do, and exit code 1."""
    from pydantic import ValidationError

    from hub.embedded.errors import EmbeddedError
    from hub.settings import NotConfigured

    try:
        app()
    except (EmbeddedError, NotConfigured) as error:
        message = str(error)
    except ValidationError as error:
        message = "\n".join(
            f"HOTPASS_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()
        )
    except KeyboardInterrupt:
        message = "Stopped."
    if "--json" in sys.argv:
        say({"is_well": False, "error": message}, "", json=True)
    else:
        typer.echo(message, err=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
