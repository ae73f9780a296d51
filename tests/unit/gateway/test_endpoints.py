"""Which addresses of a revision's EndpointSlices get requests."""

from typing import Any

from fairlead_gateway.endpoints import Endpoint, ready_endpoints


def piece(revision: str, *endpoints: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": revision}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": list(endpoints),
        **fields,
    }


def at(address: str, **conditions: bool | None) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def test_only_pods_that_are_ready_and_not_terminating_are_taken() -> None:
    found = ready_endpoints(
        [
            piece(
                "churn-a",
                at("10.0.0.4", ready=True, terminating=False),
                at("10.0.0.3", ready=False),
                at("10.0.0.2", ready=True, serving=True, terminating=True),
                at("10.0.0.1", ready=None),
                {"addresses": ["10.0.0.0"]},
            )
        ]
    )
    assert found == {"churn-a": (Endpoint("10.0.0.0", 8080), Endpoint("10.0.0.1", 8080), Endpoint("10.0.0.4", 8080))}


def test_a_pod_in_two_slices_is_one_endpoint() -> None:
    assert ready_endpoints([piece("a", at("10.0.0.1")), piece("a", at("10.0.0.1"), at("10.0.0.2"))]) == {
        "a": (Endpoint("10.0.0.1", 8080), Endpoint("10.0.0.2", 8080))
    }


def test_a_revision_without_ready_pods_is_there_and_empty() -> None:
    assert ready_endpoints([piece("a"), piece("b", at("10.0.0.1", ready=False))]) == {"a": (), "b": ()}


def test_slices_of_no_service_without_port_or_of_names_are_passed_over() -> None:
    nobodys = {"metadata": {}, "addressType": "IPv4", "ports": [{"port": 1}], "endpoints": [at("10.0.0.1")]}
    assert ready_endpoints([nobodys, piece("a", at("x.example"), addressType="FQDN")]) == {}
    assert ready_endpoints([piece("a", at("10.0.0.1"), ports=None), piece("b", at("::1"), ports=[{"port": None}])]) == {
        "a": (),
        "b": (),
    }


def test_both_address_families_are_taken() -> None:
    assert ready_endpoints([piece("a", at("fd00::1"), addressType="IPv6")]) == {"a": (Endpoint("fd00::1", 8080),)}
