"""`hotpass bench …`: figures of this machine, each from real processes and independent clients.

A part of the command line that has a file of its own. Figures are told, never judged: the exit code is 0 when nothing
was lost.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.arguments import Json, Plain, duration, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

bench = typer.Typer(no_args_is_help=True, help="Figures of this machine: real processes, independent clients.")


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


@bench.command()
def fanout(
    subscribers: Annotated[str, typer.Option(help="Clients of one event, one case each.")] = "100,1000",
    for_: Annotated[float, typer.Option("--for", parser=duration, metavar="T", help="How long each case runs.")] = 5.0,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """What one delivery costs in CPU, against python-socketio's own engine and Node's socket.io."""
    from hub.bench.fanout import bench_fanout

    wanted = [int(each) for each in subscribers.split(",")]
    _contest(plain, json, partial(bench_fanout, subscribers=wanted, seconds=for_))


@bench.command()
def memory(
    clients: Annotated[int, typer.Option(min=100, max=15_000, help="Idle clients.")] = 2000,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """What an idle client costs in memory, against the same peers."""
    from hub.bench.memory import bench_memory

    _contest(plain, json, partial(bench_memory, clients=clients))


@bench.command()
def storm(
    clients: Annotated[int, typer.Option(min=100, max=15_000, help="Clients that come and go at once.")] = 3000,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """How long the loop stalls when everybody comes, and leaves, at once, against the same peers."""
    from hub.bench.storm import bench_storm

    _contest(plain, json, partial(bench_storm, clients=clients))


def _contest(plain: bool, json: bool, run: Callable[..., Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """A benchmark of socket servers alone: no engines, no hub."""
    import uvloop

    from hub.embedded.ports import claim
    from hub.embedded.readout import Readout

    readout = Readout(plain=plain, json=json)
    modules = (read_settings().data_directory / "node").resolve()
    result = uvloop.run(run(free_port=partial(claim, 0, name="a contender"), modules=modules, tell=readout.say))
    readout.result(result)
    raise typer.Exit(0 if result["is_well"] else 1)
