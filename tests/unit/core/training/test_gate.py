"""Metrics against the rules of a gate."""

import math
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead.api.reasons import Reason
from fairlead.api.training_job import Gate, GateStatus
from fairlead.core.training.gate import MOST_METRICS, describe, is_finite, judge, shown, why_failed


def gate(*rules: dict[str, Any]) -> Gate:
    return Gate.model_validate({"rules": rules})


def verdict(metrics: Mapping[str, float], *rules: dict[str, Any]) -> GateStatus:
    return judge(gate(*rules), metrics)


@pytest.mark.parametrize(
    ("value", "bounds", "passed"),
    [
        (0.71, {"min": 0.9}, False),
        (0.9, {"min": 0.9}, True),
        (0.91, {"min": 0.9}, True),
        (0.3, {"max": 0.2}, False),
        (0.2, {"max": 0.2}, True),
        (0.1, {"max": 0.2}, True),
        (0.1, {"min": 0.2, "max": 0.3}, False),
        (0.2, {"min": 0.2, "max": 0.2}, True),
        (0.4, {"min": 0.2, "max": 0.3}, False),
        (-1.0, {"min": 0}, False),
        (0.0, {"min": 0}, True),
        (0.0, {"max": -1}, False),
    ],
)
def test_a_value_passes_between_its_bounds_and_on_them(value: float, bounds: dict[str, float], passed: bool) -> None:
    found = verdict({"accuracy": value}, {"metric": "accuracy", **bounds})
    (rule,) = found.rules
    assert (found.passed, rule.passed, rule.value, rule.reason) == (
        passed,
        passed,
        value,
        "" if passed else "GateFailed",
    )


def test_a_metric_that_was_not_logged_does_not_pass() -> None:
    found = verdict({"f1": 1.0}, {"metric": "accuracy", "min": 0})
    assert (found.passed, found.rules[0].reason, found.rules[0].value) == (False, "MetricMissing", None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, sys.float_info.max, -sys.float_info.max])
def test_a_metric_that_is_no_finite_number_does_not_pass_whatever_the_bound(value: float) -> None:
    for bounds in ({"min": -1e300}, {"max": 1e300}):
        found = verdict({"loss": value}, {"metric": "loss", **bounds})
        assert (found.passed, found.rules[0].reason, found.rules[0].value) == (False, "MetricNotFinite", None)
    assert not is_finite(value)


def test_every_rule_has_to_pass_and_each_is_told_with_its_number() -> None:
    found = verdict({"accuracy": 0.95, "f1": 0.5}, {"metric": "accuracy", "min": 0.9}, {"metric": "f1", "min": 0.6})
    assert not found.passed
    assert [rule.passed for rule in found.rules] == [True, False]
    assert [(rule.metric, rule.min, rule.value) for rule in found.rules] == [("accuracy", 0.9, 0.95), ("f1", 0.6, 0.5)]


def test_the_reason_is_the_one_that_leaves_no_number_to_argue_with() -> None:
    low, lost, broken = ({"metric": name, "min": 0.5} for name in ("low", "lost", "broken"))
    metrics = {"low": 0.1, "broken": math.nan}
    assert why_failed(verdict(metrics, low)) is Reason.GATE_FAILED
    assert why_failed(verdict(metrics, low, broken)) is Reason.METRIC_NOT_FINITE
    assert why_failed(verdict(metrics, broken, low, lost)) is Reason.METRIC_MISSING


@pytest.mark.parametrize(
    ("metrics", "bounds", "said"),
    [
        ({"a": 0.71}, {"min": 0.9}, "a 0.71, expected at least 0.9"),
        ({"a": 7.0}, {"min": 1, "max": 5}, "a 7, expected at least 1 and at most 5"),
        ({"a": 0.8999999999999999}, {"min": 0.9}, "a 0.8999999999999999, expected at least 0.9"),
        ({}, {"min": 0.9}, "a was not logged, expected at least 0.9"),
        ({"a": math.nan}, {"max": 0.9}, "a is not a finite number, expected at most 0.9"),
        ({"a": 0.95}, {"min": 0.9}, "a 0.95, expected at least 0.9"),
    ],
)
def test_a_verdict_is_told_in_numbers(metrics: dict[str, float], bounds: dict[str, float], said: str) -> None:
    assert describe(verdict(metrics, {"metric": "a", **bounds})) == said


def test_of_a_failed_gate_only_the_rules_that_failed_are_told() -> None:
    found = verdict({"a": 1, "b": 0}, {"metric": "a", "min": 1}, {"metric": "b", "min": 1}, {"metric": "c", "max": 1})
    assert describe(found) == "b 0, expected at least 1; c was not logged, expected at most 1"


def test_the_metrics_that_are_shown_are_finite_and_those_of_the_gate_come_first() -> None:
    metrics = {f"m{number:02d}": float(number) for number in range(60)} | {"z": 1.0, "nan": math.nan}
    found = shown(gate({"metric": "z", "min": 0}, {"metric": "nan", "min": 0}, {"metric": "lost", "min": 0}), metrics)
    assert list(found)[:3] == ["z", "m00", "m01"]
    assert len(found) == MOST_METRICS
    assert shown(None, {"b": 1.0, "a": 2.0}) == {"a": 2.0, "b": 1.0}
