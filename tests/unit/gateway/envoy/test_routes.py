"""Who answers which request."""

import json
from typing import Any

from tests.unit.gateway.deployments import CANARY, STABLE, alone, traffic

from fairlead_gateway.envoy.routes import build_host, build_routes, build_table, has_failover
from fairlead_gateway.traffic import Arm, Role

READY = {"churn-a", "churn-b", "churn-c"}


def first_cluster(route: Any) -> str:
    action = route["route"]
    if "cluster" in action:
        return str(action["cluster"])
    plugin = action["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    return str(plugin["priority_groups"][0]["clusters"][0]["cluster_name"])


def numerator(route: Any) -> int | None:
    fraction = route["match"].get("runtime_fraction")
    return None if fraction is None else int(fraction["default_value"]["numerator"])


def test_shares_add_up_and_stable_takes_the_rest() -> None:
    arms = [
        {**CANARY, "revision": "churn-c", "role": "previous", "weight": 20},
        {**STABLE, "weight": 70},
        CANARY,
    ]
    routes = build_routes("churn", traffic(arms=arms), READY)
    assert [(first_cluster(route), numerator(route)) for route in routes] == [
        ("churn|churn-c|previous", 20),
        ("churn|churn-b|canary", 30),
        ("churn|churn-a|stable", None),
    ]


def test_the_share_of_a_revision_without_endpoints_and_a_share_of_nothing_are_stable_s() -> None:
    assert len(build_routes("churn", traffic(), {"churn-a"})) == 1
    arms = [{**STABLE, "weight": 100}, {**CANARY, "weight": 0}]
    assert len(build_routes("churn", traffic(arms=arms), READY)) == 1


def test_while_stable_has_no_endpoint_the_one_that_it_has_replaced_answers() -> None:
    previous = {**CANARY, "revision": "churn-c", "role": "previous", "weight": 0, "failover": ""}
    promoted = traffic(arms=[{**STABLE, "weight": 100}, previous])
    for ready, answers in (
        ({"churn-a", "churn-c"}, "churn|churn-a|stable"),
        ({"churn-c"}, "churn|churn-c|previous"),
        (set(), "churn|churn-a|stable"),
    ):
        (route,) = build_routes("churn", promoted, ready)
        assert first_cluster(route) == answers
    canary_alone = build_routes("churn", traffic(), {"churn-b"})
    assert first_cluster(canary_alone[-1]) == "churn|churn-a|stable", "a canary gets its share and no more"


def test_a_failed_attempt_of_an_arm_with_failover_goes_to_its_cluster_of_second_attempts() -> None:
    canary, stable = build_routes("churn", traffic(), READY)
    plugin = canary["route"]["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    names = [group["clusters"][0]["cluster_name"] for group in plugin["priority_groups"]]
    assert names == ["churn|churn-b|canary", "churn|churn-b|failover"]
    policy = canary["route"]["retry_policy"]
    assert {"5xx", "reset", "retriable-headers", "retriable-status-codes"} <= set(policy["retry_on"].split(","))
    assert (policy["num_retries"], policy["refresh_cluster_on_retry"]) == (1, True)
    assert policy["retriable_status_codes"] == [429]
    assert stable["route"]["retry_policy"]["retry_on"] == "connect-failure,refused-stream,reset-before-request"


def test_without_failover_only_what_reached_no_pod_goes_on_to_stable() -> None:
    arms = [STABLE, {**CANARY, "failover": ""}]
    policy = build_routes("churn", traffic(arms=arms), READY)[0]["route"]["retry_policy"]
    assert policy["retry_on"] == "connect-failure,refused-stream,reset-before-request,retriable-headers"
    assert "retriable_status_codes" not in policy


def test_grpc_says_failure_in_words_of_its_own() -> None:
    retry_on = build_routes("churn", traffic(protocol="grpc"), READY)[0]["route"]["retry_policy"]["retry_on"]
    assert {"unavailable", "internal", "deadline-exceeded"} <= set(retry_on.split(","))


def test_header_rules_come_first_with_clusters_of_their_own_while_their_revision_has_endpoints() -> None:
    headers = [{"name": "x-beta", "value": "yes"}, {"name": "x-two", "value": ""}]
    asked = traffic(match=[{"revision": "churn-b", "headers": headers}])
    route = build_routes("churn", asked, READY)[0]
    assert first_cluster(route) == "churn|churn-b|matched"
    assert route["match"]["headers"] == [
        {"name": "x-beta", "string_match": {"exact": "yes"}},
        {"name": "x-two", "string_match": {"exact": ""}},
    ]
    assert all("headers" not in found["match"] for found in build_routes("churn", asked, {"churn-a"}))


def test_copies_are_of_all_routes_at_their_percentage() -> None:
    for route in build_routes("churn", traffic(mirror={"revision": "churn-c", "percent": 20}), READY):
        (policy,) = route["route"]["request_mirror_policies"]
        assert policy["cluster"] == "churn|churn-c|mirror"
        assert policy["runtime_fraction"]["default_value"]["numerator"] == 20


def test_the_request_s_time_is_its_timeout_and_silence_is_allowed_for_at_least_as_long() -> None:
    def times(**fields: Any) -> tuple[str, str]:
        action = build_routes("churn", alone(**fields), READY)[0]["route"]
        return action["timeout"], action["idle_timeout"]

    assert times() == ("60.000s", "300.000s")
    assert times(requestTimeout="10m") == ("600.000s", "600.000s")
    assert times(requestTimeout="off") == ("0.000s", "0.000s")


def test_without_arms_the_answer_is_503_with_the_reason() -> None:
    (route,) = build_routes("churn", traffic(arms=[], unavailableReason='no "x"'), READY)
    assert route["direct_response"]["status"] == 503
    assert json.loads(route["direct_response"]["body"]["inline_string"]) == {
        "reason": "NoRevision",
        "message": 'no "x"',
    }
    headers = {added["header"]["key"]: added["header"]["value"] for added in route["response_headers_to_add"]}
    assert headers == {"retry-after": "5", "x-fairlead-reason": "NoRevision", "content-type": "application/json"}
    (silent,) = build_routes("churn", traffic(arms=[]), READY)
    assert json.loads(silent["direct_response"]["body"]["inline_string"])["message"]


def test_the_table_is_one_message_around_the_hosts() -> None:
    host = build_host("churn", build_routes("churn", traffic(), READY))
    assert host["domains"] == ["churn"]
    table = json.loads(build_table([json.dumps(host), json.dumps({"name": "other"})]))
    assert [found["name"] for found in table["virtual_hosts"]] == ["churn", "other"]
    assert table["vhost_header"] == "x-fairlead-modeldeployment" == host["request_headers_to_remove"][0]
    assert json.loads(build_table([]))["virtual_hosts"] == []


def test_only_a_stable_without_failover_has_nobody_behind_it() -> None:
    def arm(role: Role, failover: str = "") -> Arm:
        return Arm(revision="a", role=role, weight=1, failover=failover)

    assert [has_failover(arm(Role.STABLE)), has_failover(arm(Role.STABLE, "b")), has_failover(arm(Role.CANARY))] == [
        False,
        True,
        True,
    ]
