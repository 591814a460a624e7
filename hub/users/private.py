"""Phones and addresses: brought into one form, sealed to their row, opened for whoever may read them."""

from __future__ import annotations

from typing import Any

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from db.encryption import DataKeys, seal, unseal
from hub.domain.errors import Unprocessable

PHONE = "phone"  # the purpose of its blind index
# Numbers that cost the caller, or earn somebody money for every message sent to them.
COSTLY = frozenset(
    {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN, PhoneNumberType.PAGER}
)
LONGEST_GIVEN = 32


def normal_phone(given: str, *, path: str = "$.phone") -> str:
    """The number in E.164. Raises `Unprocessable` for what is no number that a message can be sent to."""
    if len(given) > LONGEST_GIVEN or not given.startswith("+"):
        raise _no_phone(path)
    try:
        number = phonenumbers.parse(given, None)
    except NumberParseException as error:
        raise _no_phone(path) from error
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in COSTLY:
        raise _no_phone(path)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def masked_phone(phone: str) -> str:
    """Enough to recognise one's own number by."""
    return f"{phone[:3]}…{phone[-2:]}"


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


def _no_phone(path: str) -> Unprocessable:
    return Unprocessable(
        "give a phone number that can receive messages, with its country: +919820012345",
        code="phone.invalid",
        path=path,
    )
