"""What a person sees while a household starts and lives: steps with times, addresses, one live line.

With `--json` all of it goes to standard error, and standard output carries the one object that machines read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic

import orjson
from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PLAIN_SECONDS = 5.0  # how often the live line is written where it cannot be overwritten


class Readout:
    """Writes for people on one stream; `plain` means no colours and no line that rewrites itself."""

    def __init__(self, *, plain: bool, json: bool) -> None:
        self._json = json
        self._console = Console(stderr=json, no_color=plain or None, highlight=False, soft_wrap=True)
        self._is_moving = self._console.is_terminal and not plain
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._told_at = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One line for a step that ended, with its time; a step that fails says so and passes the failure on."""
        began = monotonic()
        try:
            yield
        except BaseException:
            self._console.print(f"[red]✗[/] {name:<12} failed")
            raise
        self.done(name, f"ready in {monotonic() - began:.1f} s")

    def done(self, name: str, what: str) -> None:
        """One line of the readiness list."""
        mark = "[green]✓[/]" if what.startswith("ready") else "[yellow]![/]"
        self._console.print(f"{mark} {name:<12} {escape(what)}")

    def say(self, text: str = "") -> None:
        """One line as it is."""
        self._console.print(text, markup=False)

    def fail(self, text: str) -> None:
        """A fault, with what to do."""
        self._console.print(Text(text, style="red"))

    def links(self, links: Mapping[str, str]) -> None:
        """The addresses to open, by what is found there."""
        for name, address in links.items():
            self._console.print(f"  {name:<12} [link={address}]{escape(address)}[/]", overflow="ignore", no_wrap=True)

    def live(self, line: str) -> None:
        """Show the newest state: in place on a terminal, else every five seconds."""
        if self._is_moving:
            self._live.start()
            self._live.update(Text(line, overflow="ellipsis", no_wrap=True), refresh=True)
        elif monotonic() - self._told_at >= PLAIN_SECONDS:
            self._told_at = monotonic()
            self.say(line)

    def end(self) -> None:
        """Take the live line away."""
        self._live.stop()

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """The end, where it is a table for people."""
        self.end()
        table = Table(*heads, box=box.SIMPLE_HEAD)
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self._console.print(table)

    def result(self, result: Mapping[str, object]) -> None:
        """The end: one JSON object for machines, or its fields for people."""
        self.end()
        if self._json:
            sys.stdout.buffer.write(orjson.dumps(result, default=str) + b"\n")
            sys.stdout.flush()
            return
        for name, value in result.items():
            self._console.print(f"  {name.replace('_', ' '):<22} {escape(str(value))}")
