"""What is worth an administrator's eye: kinds of security events, how grave each is, and how many are an alert.

The rules of `ALERTS` have two readers: each worker raises them live for the administrators, and Prometheus' rules
(`deploy/alerts.yml`) are made of them, over all workers.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    ALERT_RAISED = "alert.raised"


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
    K.ALERT_RAISED: Severity.ALARM,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`at_least` events of some kinds within so many seconds are an alert; told again at most once in that time."""

    name: str
    kinds: tuple[SecurityKind, ...]
    at_least: int
    within_seconds: int
    summary: str


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="FailedSignIns",
        kinds=(K.PASSWORD_WRONG, K.OTP_WRONG, K.PIN_WRONG, K.KEY_WRONG),
        at_least=20,
        within_seconds=300,
        summary="Many sign-ins fail: somebody may be guessing.",
    ),
    Alert(
        name="CodeAbuse",
        kinds=(K.OTP_BURNED,),
        at_least=5,
        within_seconds=600,
        summary="Several codes were burned by wrong guesses.",
    ),
    Alert(
        name="TokenReuse",
        kinds=(K.TOKEN_REUSED,),
        at_least=1,
        within_seconds=600,
        summary="A spent refresh token was shown again: it may be stolen; its sign-in was ended.",
    ),
    Alert(
        name="ForgedTokens",
        kinds=(K.TOKEN_FORGED,),
        at_least=50,
        within_seconds=300,
        summary="Many tokens are not valid: somebody may be forging.",
    ),
    Alert(
        name="Denials",
        kinds=(K.ACCESS_DENIED, K.ORIGIN_FOREIGN),
        at_least=50,
        within_seconds=300,
        summary="Many requests are not allowed: somebody may be looking for a way in.",
    ),
    Alert(
        name="Escalation",
        kinds=(K.ESCALATION,),
        at_least=1,
        within_seconds=600,
        summary="Somebody tried to raise their own rights, or to grant beyond their reach.",
    ),
    Alert(
        name="DataAccessSpike",
        kinds=(K.DATA_REVEALED,),
        at_least=20,
        within_seconds=600,
        summary="Private data of many people is being looked at.",
    ),
    Alert(
        name="Flood",
        kinds=(K.RATE_LIMITED,),
        at_least=200,
        within_seconds=300,
        summary="Many requests are over their limits.",
    ),
)
