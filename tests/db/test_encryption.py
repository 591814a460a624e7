"""Sealed columns: what opens, where, and under which key."""

from __future__ import annotations

import pytest

from db.encryption import Unreadable, blind_index, blind_indexes, key_id_of, make_data_keys, seal, unseal

OLD, NEW = "an old data secret of more than 32 bytes", "a new data secret of more than 32 bytes"
PLACE = {"table": "contact", "column": "phone", "row_id": "1"}


def test_a_sealed_value_opens_at_its_place() -> None:
    keys = make_data_keys(NEW)
    assert unseal(keys, seal(keys, "+919820012345", **PLACE), **PLACE) == "+919820012345"


@pytest.mark.parametrize("moved", [{"table": "address"}, {"column": "email"}, {"row_id": "2"}])
def test_a_value_moved_elsewhere_does_not_open(moved: dict[str, str]) -> None:
    keys = make_data_keys(NEW)
    with pytest.raises(Unreadable):
        unseal(keys, seal(keys, "+919820012345", **PLACE), **PLACE | moved)


def test_no_flipped_byte_goes_unseen() -> None:
    keys = make_data_keys(NEW)
    sealed = seal(keys, "+919820012345", **PLACE)
    for index in range(len(sealed)):
        damaged = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(Unreadable):
            unseal(keys, damaged, **PLACE)


def test_the_same_text_never_looks_the_same() -> None:
    keys = make_data_keys(NEW)
    assert seal(keys, "x", **PLACE) != seal(keys, "x", **PLACE)


def test_an_old_key_opens_until_it_leaves_the_ring() -> None:
    sealed = seal(make_data_keys(OLD), "x", **PLACE)
    both = make_data_keys(NEW, previous=[OLD])
    assert unseal(both, sealed, **PLACE) == "x"
    assert key_id_of(sealed) != both.current_id
    with pytest.raises(Unreadable):
        unseal(make_data_keys(NEW), sealed, **PLACE)


def test_a_blind_index_finds_equals_only_within_its_purpose_and_across_a_rotation() -> None:
    keys = make_data_keys(OLD)
    found = blind_index(keys, "+919820012345", purpose="phone")
    assert found == blind_index(keys, "+919820012345", purpose="phone")
    assert found != blind_index(keys, "+919820012346", purpose="phone")
    assert found != blind_index(keys, "+919820012345", purpose="block")
    assert found in blind_indexes(make_data_keys(NEW, previous=[OLD]), "+919820012345", purpose="phone")


def test_a_short_secret_refuses_to_start() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        make_data_keys("short")
