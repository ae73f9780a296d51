"""The doctor's checks: what is well, what is not, and what to do about it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.builders import serving_body
from tests.unit.cli.plugin.fake_api import StoppedClock
from tests.unit.cli.plugin.statuses import condition, status

from fairlead.api.crd import KINDS, Kind, render_crd
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.resource import ModelDeployment, parse_model_deployment
from fairlead.cli.plugin.bars import PLAIN
from fairlead.cli.plugin.checks import (
    Answer,
    Check,
    check_api,
    check_crd,
    check_dependencies,
    check_gateway,
    check_lease,
    check_model,
    check_operator,
    check_rights,
)
from fairlead.cli.plugin.rights import needed_rights
from fairlead.shell.queue import WorkQueue
from fairlead.shell.telemetry import Telemetry

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HELD = {"holderIdentity": "a", "leaseDurationSeconds": 15}
DENIED = Answer(403, {}, "leases is forbidden")


def resource(*conditions: dict[str, Any], **other: Any) -> ModelDeployment:
    """A ModelDeployment with these conditions."""
    said = {**status(), "conditions": list(conditions), **other}
    return parse_model_deployment(serving_body(status=said, model={"name": "churn", "alias": "candidate"}))


def test_a_check_is_a_tick_or_a_cross_with_what_to_do_below() -> None:
    lines = Check("Lease", False, "held by nobody", "Look.").lines(PLAIN)
    assert [line.plain for line in lines] == ["[FAIL] Lease: held by nobody", "    Look."]
    assert [line.plain for line in Check("Lease", True, "held").lines(PLAIN)] == ["[ok] Lease: held"]


def test_an_api_server_that_does_not_answer_fails() -> None:
    assert check_api("https://x", Answer(200, {"gitVersion": "v1.36"})).says == "https://x is Kubernetes v1.36"
    found = check_api("https://x", Answer(0, {}, "no answer from the API server: ConnectError"))
    assert (found.passed, "kubeconfig" in found.do) == (False, True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_crd_has_to_be_there_and_have_this_version_s_schema(kind: Kind) -> None:
    body = render_crd(kind)
    assert check_crd(kind, Answer(200, body)).passed is True
    assert check_crd(kind, Answer(404, {})).says == "not installed"
    assert check_crd(kind, DENIED).passed is None
    del body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["container"]
    found = check_crd(kind, Answer(200, body))
    assert (found.passed, found.says.endswith("at spec.container")) == (False, True)
    body["spec"]["versions"][0]["served"] = False
    assert "expected v1alpha1 to be served" in check_crd(kind, Answer(200, body)).says


@pytest.mark.parametrize(("ready", "passed"), [(2, True), (1, False), (0, False)])
def test_the_operator_needs_all_of_its_pods(ready: int, passed: bool) -> None:
    meta = {"name": "fairlead", "namespace": "fairlead-system"}
    item = {"metadata": meta, "spec": {"replicas": 2}, "status": {"readyReplicas": ready}}
    found = check_operator("", Answer(200, {"items": [item]}))
    assert (found.passed, bool(found.do)) == (passed, not passed)


def test_an_operator_that_is_nowhere_fails_and_one_that_is_hidden_does_not() -> None:
    assert check_operator("x", Answer(200, {"items": []})).says == "no Deployment of it in namespace x"
    assert check_operator("", DENIED).passed is None


@pytest.mark.parametrize(
    ("spec", "passed", "says"),
    [
        (
            {**HELD, "renewTime": "2026-05-04T11:59:57.000000Z"},
            True,
            "3s ago",
        ),
        ({**HELD, "renewTime": "2026-05-04T11:50:00Z"}, False, "for 10m"),
        ({"holderIdentity": "", "renewTime": "2026-05-04T12:00:00Z"}, False, "held by nobody"),
        ({}, False, "held by nobody"),
    ],
)
def test_the_lease_has_to_be_held_and_fresh_by_the_api_server_s_clock(
    spec: dict[str, Any], passed: bool, says: str
) -> None:
    found = check_lease("fairlead", Answer(200, {"spec": spec}, at=NOON))
    assert (found.passed, says in found.says) == (passed, True)
    assert check_lease("fairlead", Answer(404, {})).passed is False
    assert check_lease("fairlead", DENIED).passed is None


def test_rights_that_are_missing_are_named() -> None:
    rights = list(needed_rights())
    good, bad = Answer(201, {"status": {"allowed": True}}), Answer(201, {"status": {"allowed": False}})
    assert check_rights("fairlead", [(right, good) for right in rights]).passed is True
    found = check_rights("fairlead", [(right, bad if right.resource == "events" else good) for right in rights])
    assert found.says == "fairlead may not create events, get events, list events, patch events"
    found = check_rights("fairlead", [(right, bad) for right in rights])
    assert found.says.endswith(f"and {len(rights) - 5} more")
    assert check_rights("fairlead", [(right, DENIED) for right in rights]).passed is None


def test_a_right_on_a_subresource_is_asked_for_as_one() -> None:
    (right,) = (right for right in needed_rights() if str(right) == "patch modeldeployments.fairlead.dev/status")
    assert right.review("me", "team")["spec"] == {
        "user": "me",
        "resourceAttributes": {
            "namespace": "team",
            "verb": "patch",
            "group": "fairlead.dev",
            "resource": "modeldeployments",
            "subresource": "status",
        },
    }


@pytest.mark.parametrize("reason", Reason)
def test_a_model_that_is_not_resolved_comes_with_what_to_do(reason: Reason) -> None:
    found = check_model(resource(condition("ModelResolved", "False", reason, "as seen")))
    assert found and (found.passed, found.do) == (False, EXPLAINED[reason].action)


def test_a_host_that_mlflow_does_not_know_is_hinted_at() -> None:
    found = check_model(resource(condition("ModelResolved", "False", "RegistryForbidden", "HTTP 403")))
    assert found and "--allowed-hosts" in found.do
    assert check_model(resource())


def test_a_gateway_has_to_serve_the_generation_that_is_written() -> None:
    good = check_gateway(resource(condition("Programmed", "True", "Programmed", "2 of 2")))
    assert (good.passed, good.says) == (True, "generation 4 of its traffic: 2 of 2")
    bad = check_gateway(resource(condition("Programmed", "False", "GatewayPending", "1 of 2")))
    assert (bad.passed, "1 of 2" in bad.says) == (False, True)
    assert check_gateway(resource(condition("Programmed", "Unknown", "GatewayUnreachable"))).passed is None
    assert check_gateway(resource()).passed is None
    assert check_gateway(resource(traffic=None)).passed is None


def metrics(**up: bool) -> Answer:
    """What an operator's /metrics says."""
    telemetry = Telemetry()
    for name, answers in up.items():
        telemetry.answered(name, up=answers)
    return Answer(
        200,
        {},
        telemetry.render(
            WorkQueue(StoppedClock(), jitter=lambda seconds: seconds), lambda: (), deployments=lambda: (), leader=True
        ).decode(),
    )


def test_mlflow_and_prometheus_are_seen_through_the_operator() -> None:
    found = check_dependencies(metrics(mlflow=False, prometheus=True))
    assert [check.passed for check in found] == [False, True]
    assert "--allowed-hosts" in found[0].do
    assert [check.passed for check in check_dependencies(metrics(mlflow=True))] == [True, None]
    assert [check.says for check in check_dependencies(DENIED)] == ["could not look: you may not look"] * 2
