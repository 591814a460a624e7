"""Tokens: what is accepted, and that nothing else is."""

from __future__ import annotations

import sys
import time
import uuid

import pytest

from hub.domain.errors import Unauthenticated
from hub.gateway.tokens import (
    KeyRing,
    Verified,
    issue_access,
    issue_demo_link,
    make_key_ring,
    verify_access,
    verify_demo_link,
)
from tests.gateway.forged import Forger

OLD, NEW = "an old secret of more than 32 bytes!", "a new secret of more than 32 bytes!!"
PERSON, SESSION = str(uuid.uuid4()), str(uuid.uuid4())


def access(ring: KeyRing, *, now: float | None = None) -> str:
    return issue_access(ring, person_id=PERSON, session_id=SESSION, lifetime_seconds=600, now=now)[0]


def refusal_of(ring: KeyRing, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verify_access(ring, token)
    return caught.value.code


def test_a_token_says_who_and_until_when() -> None:
    ring = make_key_ring(NEW)
    token, expires_at = issue_access(ring, person_id=PERSON, session_id=SESSION, lifetime_seconds=600)
    claims = verify_access(ring, token)
    assert (claims.person_id, claims.session_id, claims.expires_at) == (PERSON, SESSION, expires_at)
    assert 595 <= expires_at - time.time() <= 601


def test_two_tokens_never_share_their_identity() -> None:
    ring = make_key_ring(NEW)
    assert verify_access(ring, access(ring)).token_id != verify_access(ring, access(ring)).token_id


def test_an_expired_token_says_so() -> None:
    ring = make_key_ring(NEW)
    assert refusal_of(ring, access(ring, now=time.time() - 700)) == "auth.expired"


def test_a_token_from_the_future_is_refused() -> None:
    ring = make_key_ring(NEW)
    assert refusal_of(ring, access(ring, now=time.time() + 100)) == "auth.invalid"


def test_a_rotated_key_still_verifies_until_it_is_dropped() -> None:
    token = access(make_key_ring(OLD))
    assert verify_access(make_key_ring(NEW, previous=[OLD]), token).person_id == PERSON
    assert refusal_of(make_key_ring(NEW), token) == "auth.invalid"


def test_new_tokens_are_signed_by_the_newest_key() -> None:
    token = access(make_key_ring(NEW, previous=[OLD]))
    assert verify_access(make_key_ring(NEW), token).person_id == PERSON


def test_a_short_secret_refuses_to_start() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        make_key_ring("x" * 31)


def test_a_ring_does_not_print_its_keys() -> None:
    ring = make_key_ring(NEW)
    assert not any(key.hex() in repr(ring) or str(key) in repr(ring) for key in ring.keys.values())


def test_a_demo_link_is_no_access_token_nor_the_other_way_round() -> None:
    ring = make_key_ring(NEW)
    link = issue_demo_link(ring, person_id=PERSON, home="/rider")
    assert verify_demo_link(ring, link).home == "/rider"
    assert refusal_of(ring, link) == "auth.invalid"
    with pytest.raises(Unauthenticated):
        verify_demo_link(ring, access(ring))


def test_no_forged_token_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    ring = make_key_ring(NEW)
    forger = Forger(ring, NEW, person_id=PERSON, session_id=SESSION)
    assert verify_access(ring, forger.good).person_id == PERSON
    corpus = list(forger.corpus())
    accepted = [trick for trick, token in corpus if is_accepted(ring, token)]
    with capsys.disabled():
        sys.stdout.write(f"\nforged tokens: {len(corpus)}, accepted: {len(accepted)}\n")
    assert len({token for _, token in corpus}) >= 500
    assert accepted == []


def test_a_token_seen_before_is_taken_until_its_time_runs_out() -> None:
    ring = make_key_ring(NEW)
    verified, token = Verified(ring), access(ring)
    first = verified.access(token)
    assert verified.access(token) is first
    assert verified.access(token, now=first.expires_at + 6) is not first
    with pytest.raises(Unauthenticated):
        verified.access(access(ring, now=time.time() - 700))


def test_no_forgery_of_a_token_seen_before_is_accepted() -> None:
    ring = make_key_ring(NEW)
    verified, forger = Verified(ring), Forger(ring, NEW, person_id=PERSON, session_id=SESSION)
    verified.access(forger.good)
    for trick, token in forger.corpus():
        with pytest.raises(Unauthenticated):
            pytest.fail(f"accepted: {trick}: {verified.access(token)}")


def is_accepted(ring: KeyRing, token: str) -> bool:
    try:
        verify_access(ring, token)
    except Unauthenticated:
        return False
    return True
