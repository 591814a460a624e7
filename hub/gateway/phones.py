"""Telephone numbers, brought into one form."""

from __future__ import annotations

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

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


def _no_phone(path: str) -> Unprocessable:
    return Unprocessable(
        "give a phone number that can receive messages, with its country: +919820012345",
        code="phone.invalid",
        path=path,
    )
