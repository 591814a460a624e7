"""What may be typed after `hotpass`, and how its answers are told; used by `hub.cli` only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from hub.gateway.key_file import Rings
    from hub.settings import Settings

DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")
SECONDS_OF = {"": 1, "s": 1, "m": 60, "h": 3600}
USAGE = 2

Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; progress goes to standard error.")
]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data directory of the embedded engines.")]
Plain = Annotated[bool, typer.Option("--plain", help="No colours, no line that rewrites itself.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="This port; 0 takes any free one.")]
Speed = Annotated[float, typer.Option(min=0.1, max=3600, help="Product seconds in a real second.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same city and the same chances.")]


def duration(text: str | float) -> float:
    """Seconds of `90`, `60s`, `5m` or `1.5h`; a number is a default that passes through here too."""
    found = DURATION.fullmatch(str(text).strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a duration; write 60s, 5m or 1h")
    return float(found[1]) * SECONDS_OF[found[2]]


For = Annotated[
    float | None, typer.Option("--for", parser=duration, metavar="T", help="Stop by itself after T: 60s, 5m, 1h.")
]


def read_settings() -> Settings:
    """The settings of the environment. Raises pydantic's `ValidationError`, which names the fields."""
    from hub.settings import Settings

    return Settings()


def find_servers(settings: Settings, data: Path | None) -> tuple[str | None, str | None]:
    """The direct DSN and the Redis URL: those of the settings, else of the demo that runs in the data directory."""
    from hub.embedded.engines import running_urls

    database = settings.database_direct_url or settings.database_url
    if database is None or data is not None:
        return running_urls(data or settings.data_directory) or (None, None)
    return database.get_secret_value(), settings.redis_url.get_secret_value() if settings.redis_url else None


def needed_database(settings: Settings, data: Path | None, *, json: bool) -> str:
    """The direct DSN; without one the command ends, with what to do."""
    url, _ = find_servers(settings, data)
    if url is None:
        fail("No database: set HOTPASS_DATABASE_URL, or give --data DIR of a running `hotpass demo`.", json=json)
    return url


def found_rings(settings: Settings, data: Path | None) -> Rings | None:
    """The keys of the key file or the variables, else of the data directory; None where there are none."""
    from datetime import UTC, datetime

    from hub.gateway.key_file import read_key_file, rings_at
    from hub.provisions import rings_of

    if data is None and (settings.key_file is not None or settings.secret_key is not None):
        return rings_of(settings)
    path = found_key_file(settings, data)
    return None if path is None else rings_at(read_key_file(path), datetime.now(UTC))


def found_key_file(settings: Settings, data: Path | None) -> Path | None:
    """The key file of the settings, else of the data directory, made where that has only its first keys."""
    from hub.embedded.credentials import FILE_NAME, credentials, key_file

    if data is None and settings.key_file is not None:
        return settings.key_file
    directory = data or settings.data_directory
    return key_file(directory, credentials(directory)) if (directory / FILE_NAME).exists() else None


def say(result: dict[str, Any], text: str, *, json: bool) -> None:
    """One answer: the object for machines or the text for people."""
    import orjson

    typer.echo(orjson.dumps(result, default=str) if json else text)


def fail(message: str, *, json: bool, code: int = 1) -> NoReturn:
    """End the command with what is wrong and what to do."""
    say({"is_well": False, "error": message}, "", json=True) if json else typer.echo(message, err=True)
    raise typer.Exit(code)
