"""Phones and addresses: sealed to their row, opened for whoever may read them."""

from __future__ import annotations

from typing import Any

from db.encryption import DataKeys, seal, unseal


def seal_phone(keys: DataKeys, phone: str, person_id: str) -> bytes:
    """A phone, sealed to its person."""
    return seal(keys, phone, table="contact", column="phone", row_id=person_id)


def open_phone(keys: DataKeys, sealed: bytes, person_id: str) -> str:
    """What `seal_phone` sealed. Raises `db.encryption.Unreadable`."""
    return unseal(keys, sealed, table="contact", column="phone", row_id=person_id)


def seal_address(keys: DataKeys, *, line: str, notes: str, address_id: str) -> dict[str, bytes]:
    """The private columns of an address, sealed to their row."""
    return {
        column: seal(keys, text, table="address", column=column, row_id=address_id)
        for column, text in (("line", line), ("notes", notes))
    }


def open_address(keys: DataKeys, row: dict[str, Any]) -> dict[str, Any]:
    """An address row, as the database's JSON, with its private columns in clear."""
    clear = {
        column: unseal(keys, bytes.fromhex(row[column][2:]), table="address", column=column, row_id=row["id"])
        for column in ("line", "notes")
    }
    return row | clear
