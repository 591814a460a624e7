"""The rings on disk: a new key is known before it is used, a former one holds long enough, a dropped one is gone."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.audit import anchor_key
from db.encryption import seal, unseal
from hub.domain.errors import Unauthenticated
from hub.gateway.key_file import (
    LONGEST_TOKEN,
    KeyFile,
    KeyKind,
    dropped,
    follow,
    key_id,
    locked,
    new_key_file,
    pruned,
    read_key_file,
    rings_at,
    rotated,
    write_key_file,
)
from hub.gateway.tokens import Verified, issue_access, verify_access

SIGNING, DATA = "a signing secret of more than 32 bytes", "a data secret of more than 32 bytes, too"
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DELAY = timedelta(seconds=15)
PERSON, SESSION = "0190b5a0-0000-7000-8000-000000000001", "0190b5a0-0000-7000-8000-000000000002"
PLACE = {"table": "contact", "column": "phone", "row_id": "p"}


@pytest.fixture
def file() -> KeyFile:
    """One key of each kind."""
    return new_key_file((SIGNING,), (DATA,), NOW)


def token_at(file: KeyFile, now: datetime) -> str:
    return issue_access(rings_at(file, now).signing, person_id=PERSON, session_id=SESSION, lifetime_seconds=600)[0]


def is_taken(file: KeyFile, now: datetime, token: str) -> bool:
    try:
        verify_access(rings_at(file, now).signing, token)
    except Unauthenticated:
        return False
    return True


def test_a_new_key_is_known_everywhere_before_it_signs(file: KeyFile) -> None:
    after = rotated(file, KeyKind.SIGNING, NOW, delay=DELAY)
    early, late = rings_at(after, NOW + DELAY / 2).signing, rings_at(after, NOW + DELAY).signing
    assert early.current_kid == rings_at(file, NOW).signing.current_kid != late.current_kid
    assert early.keys == late.keys
    assert is_taken(after, NOW + DELAY / 2, token_at(after, NOW + DELAY))


def test_a_token_of_the_former_key_holds_until_the_longest_token_is_over(file: KeyFile) -> None:
    token, after = token_at(file, NOW), rotated(file, KeyKind.SIGNING, NOW, delay=DELAY)
    last = NOW + DELAY + LONGEST_TOKEN
    assert is_taken(after, last - timedelta(seconds=1), token)
    assert not is_taken(after, last, token)
    assert len(pruned(after, last).signing) == 1


def test_a_dropped_key_verifies_nothing_from_then_on(file: KeyFile) -> None:
    token, after = token_at(file, NOW), rotated(file, KeyKind.SIGNING, NOW, delay=DELAY)
    later = NOW + DELAY
    assert not is_taken(dropped(after, KeyKind.SIGNING, key_id(KeyKind.SIGNING, SIGNING), later), later, token)


def test_anchors_of_a_key_that_has_gone_can_still_be_checked(file: KeyFile) -> None:
    after = rotated(file, KeyKind.SIGNING, NOW, delay=DELAY)
    gone = dropped(after, KeyKind.SIGNING, key_id(KeyKind.SIGNING, SIGNING), NOW + DELAY)
    assert anchor_key(SIGNING) == rings_at(gone, NOW + DELAY).anchor_keys[-1]
    assert rings_at(gone, NOW + DELAY).anchor_keys[0] != anchor_key(SIGNING)
    assert SIGNING not in repr(gone) and SIGNING.encode() not in gone.former_anchor_keys[0].encode()


@pytest.mark.parametrize("kind", KeyKind)
def test_neither_the_present_key_nor_the_next_can_be_dropped(file: KeyFile, kind: KeyKind) -> None:
    after = rotated(file, kind, NOW, delay=DELAY)
    for secret in (after.ring(kind)[0].secret, after.ring(kind)[1].secret):
        with pytest.raises(ValueError, match="rotate first"):
            dropped(after, kind, key_id(kind, secret), NOW)
    with pytest.raises(LookupError):
        dropped(after, kind, "unknown", NOW)


@pytest.mark.parametrize("kind", KeyKind)
def test_one_rotation_at_a_time(file: KeyFile, kind: KeyKind) -> None:
    after = rotated(file, kind, NOW, delay=DELAY)
    with pytest.raises(ValueError, match="waits for its turn"):
        rotated(after, kind, NOW + DELAY / 2, delay=DELAY)
    assert len(rotated(after, kind, NOW + DELAY, delay=DELAY).ring(kind)) == 3


def test_what_the_former_data_key_sealed_opens_until_it_is_dropped(file: KeyFile) -> None:
    sealed = seal(rings_at(file, NOW).data, "+491511234567", **PLACE)
    after, later = rotated(file, KeyKind.DATA, NOW, delay=DELAY), NOW + timedelta(days=400)
    assert unseal(rings_at(after, later).data, sealed, **PLACE) == "+491511234567"
    gone = dropped(after, KeyKind.DATA, key_id(KeyKind.DATA, DATA), later)
    with pytest.raises(ValueError, match="not in the ring"):
        unseal(rings_at(gone, later).data, sealed, **PLACE)


def test_the_file_is_its_owners_alone_and_names_no_key_when_shown(file: KeyFile, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with locked(path):
        write_key_file(path, file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == file
    assert SIGNING not in repr(file) and DATA not in repr(file)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"signing": []}', b'{"signing": [], "data": []}'])
async def test_a_file_that_cannot_be_read_leaves_the_rings_as_they_are(
    file: KeyFile, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    rings = rings_at(file, NOW)
    before = rings.signing.current_kid
    following = asyncio.create_task(follow(path, rings))
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert rings.signing.current_kid == before


async def test_a_running_process_takes_a_rotation_over_and_forgets_what_it_had_verified(
    file: KeyFile, tmp_path: Path
) -> None:
    path, now = tmp_path / "keys.json", datetime.now(UTC)
    write_key_file(path, file)
    rings = rings_at(file, now)
    verified, token = Verified(rings.signing), token_at(file, now)
    assert verified.access(token).person_id == PERSON
    after = rotated(file, KeyKind.SIGNING, now, delay=timedelta(0))
    write_key_file(path, dropped(after, KeyKind.SIGNING, key_id(KeyKind.SIGNING, SIGNING), now + DELAY))
    following = asyncio.create_task(follow(path, rings))
    async with asyncio.timeout(30):
        while rings.signing.current_kid == key_id(KeyKind.SIGNING, SIGNING):
            await asyncio.sleep(0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    with pytest.raises(Unauthenticated):
        verified.access(token)
