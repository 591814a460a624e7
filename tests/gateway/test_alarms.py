"""How many security events are an alert: exactly the rule, once in its time, whatever the kinds are mixed of."""

from __future__ import annotations

from hub.domain.security import ALERTS, SEVERITIES, Alert, SecurityKind, Severity
from hub.gateway.alarms import Alarms

K = SecurityKind
RULE = Alert(name="Two", kinds=(K.PIN_WRONG, K.KEY_WRONG), at_least=3, within_seconds=10, summary="x")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def told(alarms: Alarms, clock: Clock, *events: tuple[float, SecurityKind]) -> list[float]:
    """The times at which an alert was raised."""
    raised = []
    for at, kind in events:
        clock.at = at
        if alarms.count(kind):
            raised.append(at)
    return raised


def test_so_many_within_the_time_are_an_alert_and_fewer_are_none() -> None:
    clock = Clock()
    alarms = Alarms([RULE], clock=clock)
    spread = [(at, K.PIN_WRONG) for at in (0.0, 5.0, 10.1, 15.2, 20.3)]
    assert told(alarms, clock, *spread) == []
    assert told(alarms, clock, (20.4, K.KEY_WRONG)) == [20.4]


def test_other_kinds_do_not_count() -> None:
    clock = Clock()
    others = [(0.0, kind) for kind in K if kind not in RULE.kinds]
    assert told(Alarms([RULE], clock=clock), clock, *others, *others, (1.0, K.PIN_WRONG), (1.0, K.PIN_WRONG)) == []


def test_a_rule_is_silent_for_its_time_then_told_again() -> None:
    clock = Clock()
    flood = [(number / 2, K.PIN_WRONG) for number in range(60)]
    assert told(Alarms([RULE], clock=clock), clock, *flood) == [1.0, 11.0, 21.0]


def test_every_grave_kind_has_a_rule_and_an_alert_never_makes_another() -> None:
    watched = {kind for rule in ALERTS for kind in rule.kinds}
    assert {kind for kind in K if SEVERITIES[kind] is Severity.ALARM} - {K.ALERT_RAISED} <= watched
    assert watched == set(K) - {K.ALERT_RAISED}
