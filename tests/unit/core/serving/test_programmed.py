"""Whether the gateway is there, and does what it was told."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import container_status, gateway_facts, pod_body, serving_body, serving_world

from fairlead.api.conditions import ConditionType, condition
from fairlead.api.observed import parse_pod, parse_workload
from fairlead.api.reasons import Reason
from fairlead.api.traffic import Traffic
from fairlead.core.effects import ObjectRef
from fairlead.core.serving.programmed import examine_gateway, gateway_answers, programmed
from fairlead.core.world import GatewayFacts, Report

SEVENTH = Traffic(generation=7)


def told(facts: GatewayFacts) -> tuple[str, str, str]:
    found = programmed(serving_world(serving_body(), gateway=facts), SEVENTH)
    return found.status.value, found.reason, found.message


def reports(**said: Report) -> GatewayFacts:
    return replace(gateway_facts(), reports={name.replace("_", "-"): report for name, report in said.items()})


def test_it_holds_when_every_ready_pod_serves_the_generation_or_a_later_one() -> None:
    assert told(reports(gateway_0=Report(7, 1), gateway_1=Report(8, 1))) == (
        "True",
        "Programmed",
        "2 of 2 gateway pods serve generation 7",
    )


@pytest.mark.parametrize("second", [{}, {"gateway_1": Report(6, 1)}])
def test_it_is_pending_while_one_is_behind_or_silent(second: dict[str, Report]) -> None:
    assert told(reports(gateway_0=Report(7, 1), **second)) == (
        "False",
        "GatewayPending",
        "1 of 2 gateway pods serve generation 7",
    )


def test_a_rejection_is_told_in_the_gateway_s_words_with_what_serves_on() -> None:
    refused = Report(6, 1, rejected_reason="InvalidTraffic", rejected_message="arms: expected 100, got 90")
    assert told(reports(gateway_0=Report(7, 1), gateway_1=refused)) == (
        "False",
        "GatewayRejected",
        "InvalidTraffic: arms: expected 100, got 90; generation 6 serves on",
    )


def test_what_a_pod_that_is_not_ready_says_does_not_count() -> None:
    facts = replace(gateway_facts(ready=1), reports={"gateway-0": Report(7, 1), "gateway-1": Report(6, 1, "no", "no")})
    assert told(facts) == ("True", "Programmed", "1 of 1 gateway pods serve generation 7")


def test_nobody_knows_when_no_ready_pod_answers() -> None:
    both = frozenset({"gateway-0", "gateway-1"})
    assert told(replace(gateway_facts(), silent=both))[:2] == ("Unknown", "GatewayUnreachable")


def test_it_is_pending_before_a_pod_was_asked_or_while_one_gives_no_answer() -> None:
    assert told(gateway_facts()) == ("False", "GatewayPending", "0 of 2 gateway pods serve generation 7")
    half = replace(reports(gateway_0=Report(7, 1)), silent=frozenset({"gateway-1", "gateway-of-old"}))
    assert told(half) == (
        "False",
        "GatewayPending",
        "1 of 2 gateway pods serve generation 7; 1 gave the operator no answer",
    )


@pytest.mark.parametrize(
    ("reported", "silent", "expected"),
    [
        ((), (), "True"),
        (("gateway-0",), (), "True"),
        (("gateway-0",), ("gateway-1",), "False"),
        ((), ("gateway-0", "gateway-1"), "Unknown"),
    ],
)
def test_what_was_said_stands_until_every_pod_was_asked(
    reported: tuple[str, ...], silent: tuple[str, ...], expected: str
) -> None:
    told_before = condition(ConditionType.PROGRAMMED, True, Reason.PROGRAMMED, "2 of 2 gateway pods serve generation 7")
    status = {"traffic": {"generation": 7}, "conditions": [told_before.wire()]}
    facts = replace(gateway_facts(), reports=dict.fromkeys(reported, Report(7, 1)), silent=frozenset(silent))
    world = serving_world(serving_body(status=status), gateway=facts)
    assert programmed(world, SEVENTH).status.value == expected
    assert programmed(world, Traffic(generation=8)).status.value != "True", "it was said of another traffic"


def test_without_a_ready_pod_it_is_pending_with_the_numbers() -> None:
    assert told(gateway_facts(ready=0)) == ("False", "GatewayPending", "0 of 2 gateway pods are ready")
    assert told(GatewayFacts()) == ("False", "GatewayPending", "0 of 0 gateway pods are ready")


def test_a_foreign_object_is_named() -> None:
    status, reason, message = told(gateway_facts(conflict=ObjectRef("Deployment", "fairlead-gateway")))
    assert (status, reason) == ("False", "NameConflict")
    assert message == "Deployment fairlead-gateway exists and is not the gateway's; it is left alone"


def examined(facts: GatewayFacts) -> tuple[Reason, str] | None:
    found = examine_gateway(serving_world(serving_body(), gateway=facts))
    return (found.reason, found.message) if found else None


def test_a_gateway_that_answers_lacks_nothing() -> None:
    assert gateway_answers(serving_world(serving_body()))
    assert examined(gateway_facts(refused="an old story")) is None


def gateway_pod(*containers: dict[str, Any], **fields: Any) -> GatewayFacts:
    pod = parse_pod(pod_body("", *containers, name="gateway-0", **fields))
    return replace(gateway_facts(ready=0), pods=(pod,))


def test_why_none_answers_is_told_as_of_model_pods() -> None:
    assert examined(gateway_facts(ready=0)) == (Reason.GATEWAY_NOT_READY, "0 of 2 gateway pods are ready")
    assert examined(gateway_facts(ready=0, refused="no roles")) == (Reason.REJECTED, "gateway: no roles")
    pull = container_status("renderer", waiting="ErrImagePull", waiting_message="gateway:9: not found")
    assert examined(gateway_pod(pull)) == (Reason.IMAGE_NOT_FOUND, "gateway: pod gateway-0: gateway:9: not found")
    assert examined(gateway_pod(unschedulable="0/1 nodes")) == (
        Reason.UNSCHEDULABLE,
        "gateway: pod gateway-0: 0/1 nodes",
    )
    assert examined(gateway_pod(pull, deleting=True)) == (Reason.GATEWAY_NOT_READY, "0 of 2 gateway pods are ready")


def test_a_quota_that_keeps_its_pods_out_is_told() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team"}
    workload = parse_workload({"metadata": {"name": "fairlead-gateway"}, "status": {"conditions": [failure]}})
    assert examined(GatewayFacts(workload=workload)) == (Reason.QUOTA_EXCEEDED, "gateway: exceeded quota: team")
