"""Where a gateway's pod answers."""

from typing import Any

import pytest

from fairlead.api.gateway_pod import GatewayPod, parse_gateway_pod

READY = {
    "podIP": "10.0.0.7",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
}


META = {"name": "fairlead-gateway-1", "uid": "u-1", "ownerReferences": [{"kind": "ReplicaSet", "controller": True}]}


def pod(**more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"metadata": META, "status": READY}
    return {**body, **more}


def test_a_ready_pod_answers_at_its_address_and_the_usual_port() -> None:
    assert parse_gateway_pod(pod()) == GatewayPod("fairlead-gateway-1", "u-1", "10.0.0.7", 8082)


@pytest.mark.parametrize("where", ["containers", "initContainers"])
def test_the_port_is_the_one_that_the_pod_calls_evidence(where: str) -> None:
    ports = [{"name": "metrics", "containerPort": 8081}, {"name": "evidence", "containerPort": 9182}]
    found = parse_gateway_pod(pod(spec={where: [{"name": "a"}, {"name": "b", "ports": ports}]}))
    assert found is not None
    assert found.port == 9182


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"podIP": "10.0.0.7"},
        {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": READY["conditions"]},
    ],
)
def test_a_pod_that_is_not_ready_or_has_no_address_is_none(status: dict[str, Any]) -> None:
    assert parse_gateway_pod(pod(status=status)) is None


def test_a_pod_on_its_way_out_is_none() -> None:
    assert parse_gateway_pod(pod(metadata={**META, "deletionTimestamp": "2026-11-23T12:00:00Z"})) is None


@pytest.mark.parametrize("owners", [[], [{"kind": "Job", "controller": True}], [{"kind": "ReplicaSet"}]])
def test_a_pod_that_no_replicaset_made_is_none(owners: list[dict[str, Any]]) -> None:
    assert parse_gateway_pod(pod(metadata={**META, "ownerReferences": owners})) is None
