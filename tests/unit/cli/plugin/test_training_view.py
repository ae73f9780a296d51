"""A TrainingJob in plain words."""

from typing import Any

import pytest
from tests.unit.builders import NOW, training_body
from tests.unit.cli.plugin.statuses import condition

from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.resource import parse_training_job
from fairlead.api.training_job import TrainingPhase
from fairlead.cli.plugin.training_view import describe_training
from fairlead.cli.plugin.words import TRAINING


def told(**said: Any) -> list[str]:
    """The lines about a TrainingJob with this status."""
    return [line.plain for line in describe_training(parse_training_job(training_body(status=said)), NOW)]


@pytest.mark.parametrize("phase", TrainingPhase)
def test_the_first_line_says_the_phase_and_what_it_means(phase: TrainingPhase) -> None:
    assert told(phase=phase)[0].endswith(f"(TrainingJob): {phase}, {TRAINING[phase]}")


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_comes_with_what_to_do(reason: Reason) -> None:
    lines = told(phase="Failed", conditions=[condition("Ready", "False", reason, "as seen")])
    at = lines.index(f"Why        {reason}: as seen")
    assert lines[at + 1].strip() == EXPLAINED[reason].action


def test_the_gate_is_told_with_its_numbers() -> None:
    rules = [{"metric": "accuracy", "min": 0.9, "value": 0.71, "passed": False, "reason": "GateFailed"}]
    lines = told(phase="Failed", gate={"passed": False, "rules": rules})
    assert lines[-3:] == [
        "Gate: not passed",
        "  METRIC    VALUE  BOUNDS   RESULT",
        "  accuracy  0.71   min 0.9  GateFailed",
    ]


def test_what_was_registered_and_how_long_it_took_is_told() -> None:
    version = {"name": "churn", "version": "7", "alias": "candidate"}
    run = {"id": "abc", "url": "http://mlflow/run/abc"}
    lines = told(phase="Succeeded", attempt=2, runningSeconds=90, modelVersion=version, run=run)
    assert lines[1:4] == [
        "Attempt    2 of at most 1, trained for 1m30s",
        "Registered churn version 7, alias candidate",
        "Run        http://mlflow/run/abc",
    ]


def test_one_that_nobody_has_looked_at_says_so() -> None:
    assert told() == ["fit in team (TrainingJob): the operator has not looked at it yet"]
