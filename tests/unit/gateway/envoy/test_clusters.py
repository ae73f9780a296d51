"""A revision's pods as clusters."""

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.envoy.clusters import Use, build_assignment, build_cluster, cluster_name
from fairlead_gateway.traffic import Protocol

ASSIGNMENT = build_assignment("c", "churn-a", [Endpoint("10.0.0.1", 8080)])
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def test_a_name_tells_deployment_revision_and_use() -> None:
    assert cluster_name("churn", "churn-b", Use.MATCHED_FAILOVER) == "churn|churn-b|matched-failover"


def test_each_endpoint_knows_its_revision() -> None:
    (locality,) = ASSIGNMENT["endpoints"]
    assert locality["lb_endpoints"] == [
        {
            "endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 8080}}},
            "metadata": {"filter_metadata": {"fairlead": {"revision": "churn-a"}}},
        }
    ]


def test_the_absent_listener_is_behind_all_pods_and_gets_nothing_while_one_is_left() -> None:
    assignment = build_assignment("c", "churn-a", [], failing_over=True)
    pods, absent = assignment["endpoints"]
    assert (pods["priority"], pods["lb_endpoints"], absent["priority"]) == (0, [], 1)
    (endpoint,) = absent["lb_endpoints"]
    assert endpoint["endpoint"]["address"] == {"envoy_internal_address": {"server_listener_name": "absent"}}
    assert assignment["policy"]["overprovisioning_factor"] >= 10_000


def test_endpoints_stand_in_the_cluster_or_in_a_file() -> None:
    inside = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP)
    outside = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP, endpoints_file="/d/c.json")
    assert (inside["type"], inside["load_assignment"]) == ("STATIC", ASSIGNMENT)
    assert "eds_cluster_config" not in inside and "load_assignment" not in outside
    assert outside["type"] == "EDS"
    assert outside["eds_cluster_config"]["eds_config"]["path_config_source"] == {"path": "/d/c.json"}


def test_only_a_cluster_with_somebody_behind_it_ejects_endpoints() -> None:
    assert "outlier_detection" not in build_cluster(ASSIGNMENT, protocol=Protocol.HTTP)
    ejecting = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP, failing_over=True)["outlier_detection"]
    assert (ejecting["max_ejection_percent"], ejecting["base_ejection_time"]) == (100, "5.000s")
    assert ejecting["failure_percentage_minimum_hosts"] == 1


def test_no_endpoint_is_picked_because_too_many_are_ejected() -> None:
    config = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP)["common_lb_config"]
    assert config["healthy_panic_threshold"] == {"value": 0}


def test_copies_of_requests_are_bounded_and_the_requests_themselves_are_not() -> None:
    (bounded,) = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP, bounded=True)["circuit_breakers"]["thresholds"]
    (free,) = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP)["circuit_breakers"]["thresholds"]
    for name in ("max_connections", "max_pending_requests", "max_requests", "max_retries"):
        assert (bounded[name], free[name]) == (64, 1_000_000)


def test_the_protocol_and_the_attempt_s_time_are_the_connection_s() -> None:
    http = build_cluster(ASSIGNMENT, protocol=Protocol.HTTP)["typed_extension_protocol_options"][OPTIONS]
    grpc = build_cluster(ASSIGNMENT, protocol=Protocol.GRPC, attempt_timeout_seconds=1.5)
    options = grpc["typed_extension_protocol_options"][OPTIONS]
    assert http["explicit_http_config"] == {"http_protocol_options": {"enable_trailers": True}}
    assert http["common_http_protocol_options"] == {"idle_timeout": "1.000s"}
    assert options["explicit_http_config"] == {"http2_protocol_options": {}}
    assert options["common_http_protocol_options"]["max_stream_duration"] == "1.500s"
