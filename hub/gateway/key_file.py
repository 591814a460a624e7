"""The file that holds the rings of keys: who signs, who still verifies, who seals, who still opens.

    next ──after the delay──► present ──rotate──► former: a signing key leaves by itself when its last token is over,
                                                  a data key when `hotpass keys drop` finds nothing under it

Invariant: a new key is in every process's ring before the first process uses it: it waits for the delay of its
rotation, and `follow` reads the file anew each second. The file is written aside and renamed, so no reader sees a half,
and one writer at a time holds its lock. Nothing here tells a key, only its id.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from db.audit import anchor_key
from db.encryption import DataKeys, data_key_id, derive, make_data_keys
from hub.gateway.tokens import KeyRing, kid_of, make_key_ring
from hub.observability import logs

LOG = logs.get(__name__)
KEY_BYTES = 48
LOOK_SECONDS = 1.0
# The longest token is a demo link, a day; hosts' clocks may differ by a little.
LONGEST_TOKEN = timedelta(days=1, minutes=5)


class KeyKind(StrEnum):
    """What a ring is for."""

    SIGNING = "signing"
    DATA = "data"


class Key(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One secret: since when it exists, from when it signs or seals, and until when it verifies (None: no end yet)."""

    secret: str
    made_at: datetime
    from_at: datetime
    until_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Key(made_at={self.made_at}, from_at={self.from_at}, until_at={self.until_at})"


class KeyFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Both rings, newest first, and what is left of signing keys that have gone: it checks the old audit anchors."""

    signing: tuple[Key, ...]
    data: tuple[Key, ...]
    former_anchor_keys: tuple[str, ...] = ()

    def ring(self, kind: KeyKind) -> tuple[Key, ...]:
        """The keys of one kind."""
        return self.signing if kind is KeyKind.SIGNING else self.data


@dataclass(slots=True, kw_only=True)
class Rings:
    """The keys of a process. `renew` makes everybody who holds one of the rings see a rotation.

    `anchor_keys` sign and check the audit's anchors, the present one first. The tracking links' secret stays as it was
    when the process started: a link that was given out is found by its hash.
    """

    signing: KeyRing
    data: DataKeys
    anchor_keys: tuple[bytes, ...]
    tracking_secret: str

    def renew(self, other: Rings) -> None:
        """Become other rings."""
        self.signing.renew(other.signing)
        self.data.renew(other.data)
        self.anchor_keys = other.anchor_keys


def make_rings(signing: tuple[str, ...], data: DataKeys, former_anchor_keys: tuple[str, ...] = ()) -> Rings:
    """The rings of signing secrets, the present one first. Raises `ValueError` for one that is too short."""
    return Rings(
        signing=make_key_ring(signing[0], signing[1:]),
        data=data,
        anchor_keys=(*map(anchor_key, signing), *map(bytes.fromhex, former_anchor_keys)),
        tracking_secret=derive(signing[0].encode(), "tracking").hex(),
    )


def rings_at(file: KeyFile, now: datetime) -> Rings:
    """The rings as they stand at a moment."""
    data = secrets_at(file.data, now)
    return make_rings(secrets_at(file.signing, now), make_data_keys(data[0], data[1:]), file.former_anchor_keys)


def secrets_at(ring: tuple[Key, ...], now: datetime) -> tuple[str, ...]:
    """The secrets of a ring that count at a moment, the present one first. Raises `ValueError` when none does."""
    alive = [key for key in ring if key.until_at is None or key.until_at > now]
    begun = [key for key in alive if key.from_at <= now]
    if not begun:
        raise ValueError("no key of the ring is in force")
    present = max(begun, key=lambda key: key.from_at)
    return (present.secret, *(key.secret for key in alive if key is not present))


def key_id(kind: KeyKind, secret: str) -> str:
    """What a key is called, in lists and in the values it made; it tells nothing of the key."""
    return kid_of(secret) if kind is KeyKind.SIGNING else data_key_id(secret).hex()


def new_key_file(signing: tuple[str, ...], data: tuple[str, ...], now: datetime) -> KeyFile:
    """A file of given secrets, the present ones first."""
    return KeyFile(
        signing=tuple(_key(secret, now, place) for place, secret in enumerate(signing)),
        data=tuple(_key(secret, now, place) for place, secret in enumerate(data)),
    )


def rotated(file: KeyFile, kind: KeyKind, now: datetime, *, delay: timedelta) -> KeyFile:
    """The file with a fresh key that is used from `delay` on. Raises `ValueError` while another one still waits."""
    ring = file.ring(kind)
    if any(key.from_at > now for key in ring):
        raise ValueError(f"a {kind} key already waits for its turn")
    starts = now + delay
    made = Key(secret=secrets.token_urlsafe(KEY_BYTES), made_at=now, from_at=starts)
    if kind is KeyKind.DATA:
        return msgspec.structs.replace(file, data=(made, *ring))
    last = starts + LONGEST_TOKEN
    former = (msgspec.structs.replace(key, until_at=key.until_at or last) for key in ring)
    return pruned(msgspec.structs.replace(file, signing=(made, *former)), now)


def dropped(file: KeyFile, kind: KeyKind, wanted: str, now: datetime) -> KeyFile:
    """The file without a former key. Raises `LookupError` for an unknown key, `ValueError` for one that is in use."""
    ring = file.ring(kind)
    keys = {key_id(kind, key.secret): key for key in ring}
    if wanted not in keys:
        raise LookupError(f"there is no {kind} key {wanted}")
    if keys[wanted].secret == secrets_at(ring, now)[0] or keys[wanted].from_at > now:
        raise ValueError(f"{wanted} is the present {kind} key, or the next: rotate first")
    if kind is KeyKind.DATA:
        return msgspec.structs.replace(file, data=tuple(key for key in ring if key is not keys[wanted]))
    ended = (msgspec.structs.replace(key, until_at=now) if key is keys[wanted] else key for key in ring)
    return pruned(msgspec.structs.replace(file, signing=tuple(ended)), now)


def pruned(file: KeyFile, now: datetime) -> KeyFile:
    """The file without signing keys whose time is over; their part in the audit's proof stays."""
    over = [key for key in file.signing if key.until_at is not None and key.until_at <= now]
    return msgspec.structs.replace(
        file,
        signing=tuple(key for key in file.signing if key not in over),
        former_anchor_keys=(*file.former_anchor_keys, *(anchor_key(key.secret).hex() for key in over)),
    )


def read_key_file(path: Path) -> KeyFile:
    """The file. Raises `OSError`, and `ValueError` for what is no key file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeyFile)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is no key file: {error}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep every other writer of the file out."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_key_file(path: Path, file: KeyFile) -> None:
    """Replace the file, readable by its owner alone; hold `locked` from the reading on."""
    write_private(path, msgspec.json.format(msgspec.json.encode(file), indent=1))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, never seen half written: written aside, synced, then renamed."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


async def follow(path: Path, rings: Rings, *, tell: Callable[..., None] = LOG.warning) -> None:
    """Keep `rings` as the file says, for ever: a rotation is in force everywhere within a second or two.

    `tell(message, **fields)` hears of it, and of a file that cannot be read: then the rings stay as they are.
    """
    known: tuple[object, ...] | None = None
    while True:
        try:
            file = read_key_file(path)
            now = datetime.now(UTC)
            stands = (secrets_at(file.signing, now), secrets_at(file.data, now), file.former_anchor_keys)
            if stands != known:
                rings.renew(rings_at(file, now))
                if known is not None:
                    tell("the keys were rotated", signing=rings.signing.current_kid, data=rings.data.current_id.hex())
                known = stands
        except (OSError, ValueError) as error:
            tell("the key file cannot be read", path=str(path), error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


def _key(secret: str, now: datetime, place: int) -> Key:
    """The present key of a new ring, or one before it, which had its time earlier."""
    since = now - timedelta(seconds=place)
    return Key(secret=secret, made_at=since, from_at=since)
