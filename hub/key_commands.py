"""`hotpass keys …`: what the rings hold, rotating them, and dropping a key that nothing needs any more.

A part of the command line that has a file of its own. Keys live in one file (that of the data directory, or
HOTPASS_KEY_FILE); running processes follow it, so nothing is restarted. No key is ever printed, only its id.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.arguments import USAGE, Data, Json, duration, fail, find_servers, found_key_file, read_settings, say
from hub.gateway.key_file import (
    Key,
    KeyFile,
    KeyKind,
    dropped,
    key_id,
    locked,
    new_key_file,
    read_key_file,
    rotated,
    secrets_at,
    write_key_file,
)

if TYPE_CHECKING:
    from hub.settings import Settings

keys = typer.Typer(no_args_is_help=True, help="The rings of keys: what signs tokens, what seals private columns.")
Kind = Annotated[KeyKind, typer.Argument(help="signing: tokens and links; data: private columns.")]
# Every process reads the file each second, and hosts' clocks may differ by a little.
USED_AFTER = 15.0
IN_VARIABLES = """\
The keys come from environment variables, which a running process cannot read anew. Either move them to a file:
  1. set HOTPASS_KEY_FILE to a path that every host has (a mounted secret), and run: hotpass keys adopt
  2. restart every process once with HOTPASS_KEY_FILE; from then on `hotpass keys rotate` is live
Or rotate by hand, in two rounds of rolling restarts (hub and jobs; sequencer, dispatcher and UI need no keys):
  1. make a key: openssl rand -base64 48
  2. put it into {previous} on every host, keep {present} as it is; restart hub and jobs
  3. put it into {present} and the old one into {previous}; restart hub and jobs
  4. {after}"""
BY_HAND = {
    KeyKind.SIGNING: {
        "present": "HOTPASS_SECRET_KEY",
        "previous": "HOTPASS_PREVIOUS_SECRET_KEYS",
        "after": "a day later, when the last token has expired, take the old key away and restart once more",
    },
    KeyKind.DATA: {
        "present": "HOTPASS_DATA_KEY",
        "previous": "HOTPASS_PREVIOUS_DATA_KEYS",
        "after": "when the jobs no longer log `sealed anew`, take the old key away and restart once more",
    },
}


@keys.command("list")
def list_keys(json: Json = False, data: Data = None) -> None:
    """Show each key: its id, since when, what it does now, and what still needs it."""
    settings = read_settings()
    file, now = read_key_file(_path(settings, data, KeyKind.SIGNING, json=json)), datetime.now(UTC)
    needed = _needed(settings, data)
    rows = [_row(kind, key, file, now, needed) for kind in KeyKind for key in file.ring(kind)]
    lines = [f"{row['kind']:<8} {row['id']:<13} {row['made_at']:%Y-%m-%d %H:%M}  {row['state']}" for row in rows]
    if needed is None:
        lines.append("The database does not answer: what the data keys still open is not known.")
    say({"keys": rows, "is_well": True}, "\n".join(lines), json=json)


@keys.command()
def rotate(
    kind: Kind,
    after: Annotated[
        float, typer.Option(parser=duration, metavar="T", help="When it is first used: every process must know it.")
    ] = USED_AFTER,
    json: Json = False,
    data: Data = None,
) -> None:
    """Make a fresh key; the one before it goes on verifying or opening until nothing needs it."""
    path, now = _path(read_settings(), data, kind, json=json), datetime.now(UTC)
    with locked(path):
        try:
            file = rotated(read_key_file(path), kind, now, delay=timedelta(seconds=after))
        except ValueError as error:
            fail(f"{error}: wait until then, `hotpass keys list` says when.", json=json)
        write_key_file(path, file)
    made = file.ring(kind)[0]
    said = {"kind": kind, "id": key_id(kind, made.secret), "from_at": made.from_at}
    if kind is KeyKind.SIGNING:
        then = "Tokens of the key before it hold until they expire; it leaves by itself after a day."
    else:
        then = "The jobs seal old rows anew, 200 at a time; `hotpass keys list` shows the progress, then `keys drop`."
    text = f"Made the {kind} key {said['id']}, used from {made.from_at:%H:%M:%S} UTC. Nothing is restarted.\n{then}"
    say(said | {"is_well": True}, text, json=json)


@keys.command()
def drop(
    kind: Kind,
    wanted: Annotated[str, typer.Argument(metavar="ID", help="As `hotpass keys list` shows it.")],
    force: Annotated[bool, typer.Option("--force", help="Even if rows need it: they cannot be read any more.")] = False,
    json: Json = False,
    data: Data = None,
) -> None:
    """Take a former key out of its ring at once: what it signed is refused, what it sealed stays closed."""
    settings = read_settings()
    path, now = _path(settings, data, kind, json=json), datetime.now(UTC)
    lost = {} if kind is KeyKind.SIGNING else _lost(settings, data, wanted, is_forced=force, json=json)
    with locked(path):
        try:
            write_key_file(path, dropped(read_key_file(path), kind, wanted, now))
        except (LookupError, ValueError) as error:
            fail(str(error.args[0]), json=json, code=USAGE)
    text = f"Dropped the {kind} key {wanted}: every process forgets it within two seconds."
    if lost:
        text += f" Gone with it: {_shown(lost)}. PINs are drawn anew, passwords set anew."
    say({"kind": kind, "id": wanted, "lost": lost, "is_well": True}, text, json=json)


@keys.command()
def adopt(json: Json = False) -> None:
    """Write the keys of the environment variables into HOTPASS_KEY_FILE, to rotate them live from then on."""
    settings = read_settings()
    path = settings.key_file
    if path is None or settings.secret_key is None or settings.data_key is None:
        fail("Set HOTPASS_KEY_FILE, HOTPASS_SECRET_KEY and HOTPASS_DATA_KEY, then run this again.", json=json)
    signing = (settings.secret_key, *settings.previous_secret_keys)
    opening = (settings.data_key, *settings.previous_data_keys)
    file = new_key_file(
        tuple(key.get_secret_value() for key in signing),
        tuple(key.get_secret_value() for key in opening),
        datetime.now(UTC),
    )
    with locked(path):
        if path.exists():
            fail(f"{path} exists already; it was left as it is.", json=json)
        write_key_file(path, file)
    text = f"Wrote {path}. Restart every process with HOTPASS_KEY_FILE set; the key variables are no longer read."
    say({"path": str(path), "is_well": True}, text, json=json)


def _path(settings: Settings, data: Path | None, kind: KeyKind, *, json: bool) -> Path:
    """The key file. Where there is none the command ends, with what to do."""
    is_in_variables = data is None and settings.key_file is None and settings.secret_key is not None
    path = None if is_in_variables else found_key_file(settings, data)
    if is_in_variables:
        fail(IN_VARIABLES.format(**BY_HAND[kind]), json=json)
    if path is None:
        fail("No keys here: give --data DIR of a demo, or set HOTPASS_KEY_FILE.", json=json)
    if not path.exists():
        fail(f"{path} does not exist: make it with `hotpass keys adopt`.", json=json)
    return path


Needed = dict[str | None, dict[str, int]]


def _needed(settings: Settings, data: Path | None) -> Needed | None:
    """How many rows of what need each data key, by its id (None: not known which); None where nobody answers."""
    from db.connection import DATABASE_AWAY

    url, _ = find_servers(settings, data)
    if url is None:
        return None
    try:
        return asyncio.run(_count(url))
    except DATABASE_AWAY:
        return None


async def _count(url: str) -> Needed:
    from db.connection import connect
    from db.resealing import UNDER

    connection = await connect(url, application="hotpass keys")
    try:
        found: Needed = {}
        for row in await UNDER.rows(connection):
            found.setdefault(row["key_id"], {})[row["what"]] = row["rows"]
        return found
    finally:
        await connection.close()


def _lost(settings: Settings, data: Path | None, wanted: str, *, is_forced: bool, json: bool) -> dict[str, int]:
    """What goes with a data key; the command ends where that is anything and nobody forces it."""
    needed = _needed(settings, data)
    if needed is None and not is_forced:
        fail("The database does not answer, so nobody knows what still needs this key.", json=json)
    unknown = {f"{what} of an unknown key": rows for what, rows in (needed or {}).get(None, {}).items()}
    lost = (needed or {}).get(wanted, {}) | unknown
    if lost and not is_forced:
        fail(f"{wanted} is still needed for {_shown(lost)}: wait for the jobs, or give --force.", json=json)
    return lost


def _row(kind: KeyKind, key: Key, file: KeyFile, now: datetime, needed: Needed | None) -> dict[str, Any]:
    name = key_id(kind, key.secret)
    rows = (needed or {}).get(name, {}) if kind is KeyKind.DATA else {}
    if key.from_at > now:
        state = f"next: used from {key.from_at:%H:%M:%S} UTC"
    elif key.secret == secrets_at(file.ring(kind), now)[0]:
        state = "present"
    elif kind is KeyKind.SIGNING:
        is_over = key.until_at is not None and key.until_at <= now
        state = "over" if is_over else f"verifies until {key.until_at:%Y-%m-%d %H:%M} UTC"
    else:
        state = (
            f"opens {_shown(rows)}" if rows else "opens nothing any more: drop it" if needed is not None else "opens"
        )
    return {"kind": kind, "id": name, "made_at": key.made_at, "state": state, "rows": rows, "until_at": key.until_at}


def _shown(rows: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in rows.items())
