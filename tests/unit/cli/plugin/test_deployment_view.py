"""A ModelDeployment in plain words."""

from typing import Any

import pytest
from tests.unit.builders import NOW, serving_body, stamp
from tests.unit.cli.plugin.statuses import NEW, OLD, condition, ended, rolled_back, rolling, status

from fairlead.api.model_deployment import DeploymentPhase
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.resource import parse_model_deployment
from fairlead.cli.plugin.bars import PLAIN
from fairlead.cli.plugin.deployment_view import describe_deployment
from fairlead.cli.plugin.words import PHASES


def told(said: dict[str, Any] | None, *, generation: int = 1) -> list[str]:
    """The lines about a ModelDeployment with this status."""
    body = serving_body(status=said, model={"name": "churn", "alias": "candidate"})
    body["metadata"]["generation"] = generation
    return [line.plain for line in describe_deployment(parse_model_deployment(body), NOW, PLAIN)]


@pytest.mark.parametrize("phase", DeploymentPhase)
def test_the_first_line_says_the_phase_and_what_it_means(phase: DeploymentPhase) -> None:
    assert told(rolling(phase))[0] == f"churn in team: {phase}, {PHASES[phase]}"


def test_who_serves_and_who_gets_which_share_is_told() -> None:
    assert told(rolling())[1:6] == [
        f"Serves     {OLD} (version 6), 2 ready pods, for 2h",
        f"Candidate  {NEW} (version 7), 1 ready pod, for 2h",
        "Traffic    [=======================#]",
        f"            95% = {OLD}, stable",
        f"             5% # {NEW}, candidate",
    ]


def test_where_nothing_serves_that_and_the_reason_is_told() -> None:
    said = status("Failed", stable=None, traffic={"generation": 1, "unavailableReason": "ImageNotFound"})
    lines = told(said)
    assert "Serves     nobody yet" in lines
    assert "Traffic    answered with 503: ImageNotFound" in lines


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_of_a_condition_comes_with_what_to_do(reason: Reason) -> None:
    lines = told(status(conditions=[condition("Ready", "False", reason, "as seen")]))
    at = lines.index(f"Ready      {reason}: as seen")
    assert lines[at + 1].strip() == f"{EXPLAINED[reason].meaning} {EXPLAINED[reason].action}"


def test_a_probation_is_told_with_its_numbers() -> None:
    seen = {
        "revision": OLD, "since": stamp(NOW), "until": stamp(NOW), "updated": stamp(NOW), "requests": 40, "failures": 3,
        "neededRequests": 150, "sure": 0.5, "failsAt": 200, "policy": "{}", "state": "{}",
    }  # fmt: skip
    assert told(status(probation=seen))[-1] == (
        "Probation  until 2026-05-04 12:00:00Z, held to its limits alone: "
        "40 of 150 requests, 3 failed; evidence 0.5, fails at 200"
    )


def test_a_status_that_has_not_seen_the_spec_says_so() -> None:
    line = told(status(), generation=3)[1]
    assert "has not seen the newest spec yet" in line and "generation 1, the spec is at 3" in line
    assert told(None) == [
        "churn in team: the operator has not looked at it yet",
        "Serves     nobody yet",
        "Waits for  the operator to look at it",
    ]


def test_history_has_the_newest_first_and_quarantine_says_what_it_means() -> None:
    lines = told(rolled_back(history=[ended("Promoted", OLD, "6"), ended("RolledBack")]))
    at = lines.index("History")
    assert lines[at + 2].split()[2:5] == [NEW, "7", "RolledBack"]
    assert lines[at + 3].split()[2:5] == [OLD, "6", "Promoted"]
    at = lines.index("Quarantine, not tried again until `retry`")
    assert "all with these files" in lines[at + 2] and "2m ago" in lines[at + 2]


@pytest.mark.parametrize(("accepted", "became"), [(True, "accepted"), (False, "refused")])
def test_what_was_asked_last_is_told(accepted: bool, became: str) -> None:
    asked = {"verb": "promote", "revision": NEW, "nonce": "a", "at": "2026-05-04T11:59:00Z", "message": "so"}
    lines = told(rolling(lastRequest={**asked, "accepted": accepted}))
    assert lines[-1] == f"Asked last promote of {NEW}, 1m ago: {became} (so)"


def test_a_copy_of_the_traffic_is_told() -> None:
    said = status("Shadow")
    said["traffic"]["mirror"] = {"revision": NEW, "percent": 20}
    assert f"           a copy of 20% to {NEW}" in told(said)
