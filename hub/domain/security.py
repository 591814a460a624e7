"""What is worth an administrator's eye: kinds of security events, how grave each is, and which refusal tells it."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How grave an event is; an alarm means that somebody has what they should not have, or tries hard to."""

    NOTICE = "notice"
    WARNING = "warning"
    ALARM = "alarm"


class SecurityKind(StrEnum):
    """What happened."""

    ACCESS_DENIED = "access.denied"
    TOKEN_FORGED = "token.forged"  # noqa: S105 - a word, no secret
    TOKEN_REUSED = "token.reused"  # noqa: S105 - a word, no secret
    PASSWORD_WRONG = "password.wrong"  # noqa: S105 - a word, no secret
    OTP_WRONG = "otp.wrong"
    OTP_BURNED = "otp.burned"
    PIN_WRONG = "pin.wrong"
    KEY_WRONG = "key.wrong"
    RATE_LIMITED = "rate.limited"
    ORIGIN_FOREIGN = "origin.foreign"
    ESCALATION = "role.escalation"
    DATA_REVEALED = "data.revealed"


K = SecurityKind
SEVERITIES: dict[SecurityKind, Severity] = {
    K.ACCESS_DENIED: Severity.NOTICE,
    K.TOKEN_FORGED: Severity.WARNING,
    K.TOKEN_REUSED: Severity.ALARM,
    K.PASSWORD_WRONG: Severity.NOTICE,
    K.OTP_WRONG: Severity.NOTICE,
    K.OTP_BURNED: Severity.WARNING,
    K.PIN_WRONG: Severity.NOTICE,
    K.KEY_WRONG: Severity.WARNING,
    K.RATE_LIMITED: Severity.WARNING,
    K.ORIGIN_FOREIGN: Severity.WARNING,
    K.ESCALATION: Severity.ALARM,
    K.DATA_REVEALED: Severity.NOTICE,
}

# A refusal's code tells its kind; codes that are not here are everyday.
KIND_OF_CODE: dict[str, SecurityKind] = {
    "forbidden": K.ACCESS_DENIED,
    "auth.invalid": K.TOKEN_FORGED,
    "auth.reused": K.TOKEN_REUSED,
    "password.wrong": K.PASSWORD_WRONG,
    "otp.wrong": K.OTP_WRONG,
    "otp.burned": K.OTP_BURNED,
    "pin.wrong": K.PIN_WRONG,
    "key.wrong": K.KEY_WRONG,
    "rate_limited": K.RATE_LIMITED,
    "origin.forbidden": K.ORIGIN_FOREIGN,
    "role.to_oneself": K.ESCALATION,
    "role.outside_reach": K.ESCALATION,
}
