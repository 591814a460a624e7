"""`hotpass bench …`: figures of this machine, each from real processes and independent clients.

A part of the command line that has a file of its own. Figures are told, never judged: the exit code is 0 when nothing
was lost.
"""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.arguments import Json, Plain, duration, fail, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hub.embedded.readout import Readout

bench = typer.Typer(no_args_is_help=True, help="Figures of this machine: real processes, independent clients.")


@bench.command()
def pipeline(
    rates: Annotated[str, typer.Option(help="Changes per second, one case each.")] = "200,500,1000,5000",
    for_: Annotated[float, typer.Option("--for", parser=duration, metavar="T", help="How long each case runs.")] = 6.0,
    hub_workers: Annotated[int, typer.Option(min=1, max=64, help="Hub worker processes.")] = 1,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """From a committed row to 300 subscribers, against pg_notify, Node and Redis: delay, CPU, and what was lost."""
    from hub.embedded.contests import PipelineWish, benchmark_pipeline

    wanted = tuple(float(rate) for rate in rates.split(","))
    wish = PipelineWish(rates=wanted, seconds=for_, hub_workers=hub_workers, modules=_modules())
    _in_house("pipeline", plain, json, partial(benchmark_pipeline, wish))


@bench.command()
def fanout(
    subscribers: Annotated[str, typer.Option(help="Clients of one topic, one case each.")] = "100,1000",
    small_rooms: Annotated[int, typer.Option(min=0, max=5000, help="Topics of three clients, a further case.")] = 1000,
    slow_readers: Annotated[bool, typer.Option(help="Also 100 of 1,000 clients that do not read.")] = True,
    for_: Annotated[float, typer.Option("--for", parser=duration, metavar="T", help="How long each case runs.")] = 7.0,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """What one delivery costs in CPU, against python-socketio's own engine and Node's socket.io, and through Redis."""
    from hub.bench.slow_readers import Sleep
    from hub.embedded.contests import FanoutWish, benchmark_fanout

    wanted = [int(each) for each in subscribers.split(",")]
    sleep = Sleep() if slow_readers else None
    wish = FanoutWish(subscribers=wanted, small_rooms=small_rooms, seconds=for_, sleep=sleep, modules=_modules())
    _in_house("fanout", plain, json, partial(benchmark_fanout, wish))


@bench.command()
def memory(
    connections: Annotated[
        int, typer.Option("--connections", "--clients", min=100, max=15_000, help="Idle connections.")
    ] = 2000,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """What an idle connection costs in memory, against the same peers."""
    from hub.bench.memory import bench_memory

    _contest("memory", plain, json, partial(bench_memory, connections=connections))


@bench.command()
def rush(
    clients: Annotated[int, typer.Option(min=100, max=15_000, help="Clients that come and go at once.")] = 3000,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """How long the loop stalls when everybody comes, and leaves, at once, against the same peers."""
    from hub.bench.rush import bench_rush

    _contest("rush", plain, json, partial(bench_rush, clients=clients))


@bench.command()
def storm(
    clients: Annotated[int, typer.Option(min=10, max=15_000, help="Clients that follow a kitchen each.")] = 2000,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """The hub is killed under its clients while changes go on: when it listens, when all have resumed, what is lost."""
    from hub.embedded.benchmark import benchmark_storm

    _in_house("storm", plain, json, partial(benchmark_storm, clients))


@bench.command()
def table(
    reports: Annotated[list[Path], typer.Argument(help="What benchmarks have printed with --json, one file each.")],
    into: Annotated[Path | None, typer.Option(help="Write it between the two marks of this file: README.md.")] = None,
) -> None:
    """The figures of reports as one table in Markdown; the README's is made by it."""
    import orjson

    from hub.bench.tables import markdown, table_of, written_into

    try:
        rows = table_of([orjson.loads(path.read_bytes()) for path in reports])
        if into is None:
            typer.echo(markdown(rows))
        else:
            into.write_text(written_into(into.read_text(), rows))
    except (OSError, ValueError) as error:
        fail(str(error), json=False)


def _modules() -> Path:
    """Where the peers' npm packages are kept."""
    return (read_settings().data_directory / "node").resolve()


def _in_house(name: str, plain: bool, json: bool, run: Callable[[Readout], dict[str, Any]]) -> None:
    """A benchmark with engines, hub and sequencer of its own."""
    from hub.embedded.readout import Readout

    readout = Readout(plain=plain, json=json)
    _tell(name, readout, run(readout), json=json)


def _contest(name: str, plain: bool, json: bool, run: Callable[..., Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """A benchmark of socket servers alone: no engines, no hub."""
    import uvloop

    from hub.embedded.ports import claim
    from hub.embedded.readout import Readout

    readout = Readout(plain=plain, json=json)
    result = uvloop.run(run(free_port=partial(claim, 0, name="a contender"), modules=_modules(), tell=readout.say))
    _tell(name, readout, result, json=json)


def _tell(name: str, readout: Readout, result: dict[str, Any], *, json: bool) -> None:
    """The report for machines or its table for people, and the end."""
    from hub.bench.tables import HEADS, rows_of

    words = [word for word in sys.argv[1:] if word not in {"--json", "--plain"}]
    report = {"benchmark": name, "command": shlex.join(["hotpass", *words])} | result
    if json:
        readout.result(report)
    else:
        readout.table(HEADS, rows_of(report))
    raise typer.Exit(0 if result["is_well"] else 1)
