"""The alert rules that are shipped: current, well-formed, and about metrics that a running hub exports."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from hub.domain.security import ALERTS
from hub.service.alerts import FILE, rules
from tests.course import Cast

METRIC = re.compile(r"\bhotpass_\w+")
MATCHER = re.compile(r'\{kind=~"([^"]+)"\}')
SUM = r'sum\(increase\(hotpass_\w+(\{kind=~"[a-z\[\].|_]+"\})?\[\d+s\]\)\) (>=|>) \d+'
SHAPE = re.compile(rf"{SUM}|max\(hotpass_\w+\) > \d+")
EXPORTED = re.compile(r"^(hotpass_\w+)(?:\{([^}]*)\})? ", re.MULTILINE)


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, Any]]:
    """The rules of the file."""
    groups = yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def faults(shipped: list[dict[str, Any]], metrics: str) -> list[str]:
    """What the rules name and the metrics do not have."""
    names = {name for name, _ in EXPORTED.findall(metrics)}
    kinds = {labels[6:-1] for name, labels in EXPORTED.findall(metrics) if name == "hotpass_security_events_total"}
    wrong = []
    for rule in shipped:
        wrong += [name for name in METRIC.findall(rule["expr"]) if name not in names]
        for matcher in MATCHER.findall(rule["expr"]):
            wrong += [one for one in matcher.split("|") if not any(re.fullmatch(one, kind) for kind in kinds)]
    return wrong


def test_the_file_is_the_one_that_the_rules_make() -> None:
    assert FILE.read_text(encoding="utf-8") == rules(), "make it anew: python -m hub.service.alerts"


def test_every_rule_is_shipped_and_has_what_prometheus_asks(shipped: list[dict[str, Any]]) -> None:
    assert {rule["alert"] for rule in shipped} >= {f"Hotpass{alert.name}" for alert in ALERTS}
    for rule in shipped:
        assert SHAPE.fullmatch(rule["expr"]), rule["expr"]
        assert rule["labels"]["severity"] in {"warning", "alarm"}
        assert rule["annotations"]["summary"]


async def test_every_metric_and_kind_of_a_rule_is_exported(cast: Cast, shipped: list[dict[str, Any]]) -> None:
    async with cast.session.get("/metrics") as answer:
        metrics = await answer.text()
    assert faults(shipped, metrics) == []
    lying = [{"expr": 'sum(increase(hotpass_no_such_total{kind=~"no[.]such|otp[.]wrong"}[5s])) > 0'}]
    assert faults(lying, metrics) == ["hotpass_no_such_total", "no[.]such"]
