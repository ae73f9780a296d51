"""Holds a run's metrics against the rules of a gate. A value that equals a bound passes."""

import sys
from collections.abc import Mapping
from math import isfinite

from fairlead.api.reasons import Reason
from fairlead.api.training_job import Gate, GateRule, GateRuleStatus, GateStatus

MOST_METRICS = 50
_ORDER = (Reason.METRIC_MISSING, Reason.METRIC_NOT_FINITE, Reason.GATE_FAILED)
"""When several rules fail, the gate says the reason that stands first: there is no number to argue with."""


def is_finite(value: float) -> bool:
    """Whether a metric has a value. MLflow keeps an infinite one as the greatest number there is."""
    return isfinite(value) and abs(value) < sys.float_info.max


def _judge(rule: GateRule, metrics: Mapping[str, float]) -> GateRuleStatus:
    value = metrics.get(rule.metric)
    reason: Reason | None = None
    if value is None:
        reason = Reason.METRIC_MISSING
    elif not is_finite(value):
        value, reason = None, Reason.METRIC_NOT_FINITE
    elif (rule.min is not None and value < rule.min) or (rule.max is not None and value > rule.max):
        reason = Reason.GATE_FAILED
    return GateRuleStatus(
        metric=rule.metric, min=rule.min, max=rule.max, value=value, passed=reason is None, reason=reason or ""
    )


def judge(gate: Gate, metrics: Mapping[str, float]) -> GateStatus:
    """Every rule against the last value of its metric (NaN and infinite values as Python has them)."""
    rules = tuple(_judge(rule, metrics) for rule in gate.rules)
    return GateStatus(passed=all(rule.passed for rule in rules), rules=rules)


def why_failed(verdict: GateStatus) -> Reason:
    """The one reason of a gate that did not pass."""
    found = {rule.reason for rule in verdict.rules}
    return next(reason for reason in _ORDER if reason in found)


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")


def _describe(rule: GateRuleStatus) -> str:
    bounds = {"at least": rule.min, "at most": rule.max}
    expected = "expected " + " and ".join(f"{word} {_number(it)}" for word, it in bounds.items() if it is not None)
    if rule.reason == Reason.METRIC_MISSING:
        return f"{rule.metric} was not logged, {expected}"
    if rule.value is None:
        return f"{rule.metric} is not a finite number, {expected}"
    return f"{rule.metric} {_number(rule.value)}, {expected}"


def describe(verdict: GateStatus) -> str:
    """`accuracy 0.71, expected at least 0.9` for each rule that failed, or for all when all passed."""
    return "; ".join(_describe(rule) for rule in verdict.rules if rule.passed is verdict.passed)


def shown(gate: Gate | None, metrics: Mapping[str, float]) -> dict[str, float]:
    """The finite metrics that fit into a status, those of the gate before the others."""
    first = [rule.metric for rule in gate.rules] if gate else []
    names = [*first, *sorted(set(metrics) - set(first))]
    finite = {name: metrics[name] for name in names if name in metrics and is_finite(metrics[name])}
    return dict(list(finite.items())[:MOST_METRICS])
