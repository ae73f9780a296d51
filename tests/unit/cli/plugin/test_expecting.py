"""What a ModelDeployment waits for, in one sentence."""

from typing import Any

import pytest
from tests.unit.builders import serving_body
from tests.unit.cli.plugin.statuses import condition, evidence, rolled_back, rolling, status

from fairlead.api.model_deployment import DeploymentPhase
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.resource import parse_model_deployment
from fairlead.cli.plugin.expecting import Expectation, expect

MODEL = {"name": "churn", "alias": "candidate"}


def expected(said: dict[str, Any] | None, **spec: Any) -> Expectation:
    """Of a ModelDeployment with this status."""
    return expect(parse_model_deployment(serving_body(status=said, model=MODEL, **spec)))


@pytest.mark.parametrize("phase", DeploymentPhase)
def test_each_phase_says_what_it_waits_for_but_the_one_that_waits_for_nothing(phase: DeploymentPhase) -> None:
    text = expected(rolling(phase)).text
    assert text
    assert (expected(status(phase)).text == "") == (phase is DeploymentPhase.STABLE)


@pytest.mark.parametrize("reason", Reason)
def test_a_held_rollout_says_what_the_reason_means_and_what_to_do(reason: Reason) -> None:
    text = expected(rolling("Held", evidence=evidence(reason=reason))).text
    assert EXPLAINED[reason].meaning in text and EXPLAINED[reason].action in text


@pytest.mark.parametrize("reason", Reason)
def test_whatever_failed_is_named(reason: Reason) -> None:
    said = rolled_back(conditions=[condition("RolledOut", "False", reason, "12 of 60")])
    assert expected(said) == Expectation(f"somebody to act: {reason}: 12 of 60")


@pytest.mark.parametrize(
    ("numbers", "text", "eta"),
    [
        ({}, "38 candidate requests more, about 12m at today's rate", 720),
        ({"etaSeconds": None}, "38 candidate requests more; none came in the last minute", None),
        (
            {"seconds": 0, "neededSeconds": 3600},
            "38 candidate requests more, about 12m at today's rate and 1h more of watching",
            3600,
        ),
        ({"requests": 149, "etaSeconds": 3}, "1 candidate request more, about 3s at today's rate", 3),
        ({"requests": 200}, "the operator's next look", 0),
        ({"stage": "Braked"}, "38 clean requests more, about 12m at today's rate", 720),
        ({"stage": "Cooling"}, "the cool-down to be over; its first step is tried once more then", None),
        (
            {"stage": "Guard", "requests": 200, "seconds": 60, "neededSeconds": 600},
            "the guard: 9m more of watching",
            540,
        ),
    ],
)
def test_the_later_of_requests_and_time_is_when_the_step_may_end(
    numbers: dict[str, Any], text: str, eta: int | None
) -> None:
    assert expected(rolling(evidence=evidence(**numbers))) == Expectation(text, eta)


def test_a_pause_says_who_can_end_it() -> None:
    assert expected(rolling("Paused"), paused=True).text == "spec.paused to be false"
    assert expected(rolling("Paused")).text == "somebody: kubectl fairlead resume churn"


def test_a_resource_that_nobody_has_looked_at_waits_for_the_operator() -> None:
    assert expected(None).text == "the operator to look at it"
