"""Resources in one line each."""

from tests.unit.builders import serving_body, training_body
from tests.unit.cli.plugin.statuses import NEW, OLD, condition, evidence, rolled_back, rolling, status

from fairlead.api.resource import parse_model_deployment, parse_training_job
from fairlead.cli.plugin.summary import (
    deployment_line,
    list_deployments,
    list_trainings,
    training_line,
)

MODEL = {"name": "churn", "alias": "candidate"}
CANARY = parse_model_deployment(serving_body(status=rolling(), model=MODEL))
FAILED = parse_training_job(
    training_body(
        name="train", status={"phase": "Failed", "conditions": [condition("Ready", "False", "GateFailed", "0.7")]}
    )
)


def test_a_list_says_versions_shares_and_what_each_waits_for() -> None:
    lines = [line.plain for line in list_deployments([CANARY], namespaces=False)]
    assert [line.split("  ")[0] for line in lines] == ["NAME", "md/churn"]
    assert "6 -> 7" in lines[1] and "95% stable 5% candidate" in lines[1] and "38 candidate requests" in lines[1]


def test_a_list_of_all_namespaces_says_where_each_is() -> None:
    deployments = list_deployments([CANARY], namespaces=True)
    trainings = list_trainings([FAILED], namespaces=True)
    assert [line.plain.split()[:2] for line in (deployments[1], trainings[1])] == [
        ["team", "md/churn"],
        ["team", "tj/train"],
    ]


def test_a_list_of_nothing_has_no_head() -> None:
    assert list_deployments([], namespaces=False) == list_trainings([], namespaces=True) == []


def test_a_resource_without_a_status_has_a_line_all_the_same() -> None:
    fresh = parse_model_deployment(serving_body(model=MODEL))
    assert list_deployments([fresh], namespaces=False)[1].plain.split()[:6] == [
        "md/churn",
        "-",
        "-",
        "-",
        "Unknown",
        "the",
    ]
    assert deployment_line(fresh) == "- stable=-"


def test_the_line_of_a_change_has_the_numbers_and_no_time() -> None:
    assert deployment_line(CANARY) == (
        f"Canary stable={OLD} candidate={NEW} canary=5% requests=112/150 failures=1 fast=3.16/100 sure=0.8/200 "
        "verdict=unknown reason=TooFewRequests"
    )
    later = parse_model_deployment(
        serving_body(status=rolling(evidence=evidence(updated="2026-05-04T12:00:02Z")), model=MODEL)
    )
    assert deployment_line(later) == deployment_line(CANARY)
    back = parse_model_deployment(serving_body(status=rolled_back(), model=MODEL))
    assert deployment_line(back) == f"RolledBack stable={OLD} reason=ErrorsAboveStable"
    assert deployment_line(parse_model_deployment(serving_body(status=status(), model=MODEL))).startswith("Stable ")
    assert training_line(FAILED) == "Failed attempt=1 reason=GateFailed"
