"""From ModelDeployments to Envoy's files."""

import json
from typing import Any

from tests.unit.gateway.deployments import PODS, STABLE, alone, deployment, traffic

from fairlead_gateway.render import MAX_ENDPOINT_FILES, Deployment, File, Files, render

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def resources(file: File) -> list[dict[str, Any]]:
    body = json.loads(file.text)
    assert body["version_info"] == file.version
    found: list[dict[str, Any]] = body["resources"]
    return found


def names(files: Files) -> list[str]:
    return [cluster["name"] for cluster in resources(files.clusters)]


def test_a_rollout_has_a_cluster_and_a_file_of_endpoints_for_each_use() -> None:
    files = render([deployment()], "/run/x")
    assert names(files) == ["churn|churn-a|stable", "churn|churn-b|canary", "churn|churn-b|failover"]
    assert set(files.endpoints) == {f"endpoints/{name}.json" for name in names(files)}
    for cluster in resources(files.clusters):
        path = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]["path"]
        assert path == f"/run/x/endpoints/{cluster['name']}.json"
        (assignment,) = resources(files.endpoints[path.removeprefix("/run/x/")])
        assert assignment["cluster_name"] == cluster["name"]


def test_second_attempts_go_to_the_pods_of_the_failover_and_say_so() -> None:
    files = render([deployment()], "/run/x")
    (assignment,) = resources(files.endpoints["endpoints/churn|churn-b|failover.json"])
    (pods,) = assignment["endpoints"]
    revisions = {pod["metadata"]["filter_metadata"]["fairlead"]["revision"] for pod in pods["lb_endpoints"]}
    assert revisions == {"churn-a"}


def test_one_revision_alone_needs_no_further_file() -> None:
    files = render([Deployment("churn", alone(), PODS)], "/run/x")
    (cluster,) = resources(files.clusters)
    assert (files.endpoints, cluster["type"]) == ({}, "STATIC")


def test_beyond_the_limit_of_files_clusters_carry_their_endpoints() -> None:
    many = [deployment(f"churn{number:03}") for number in range(100)]
    files = render(many, "/run/x")
    assert MAX_ENDPOINT_FILES - 3 < len(files.endpoints) <= MAX_ENDPOINT_FILES
    kinds = [cluster["type"] for cluster in resources(files.clusters)]
    assert kinds.count("EDS") == len(files.endpoints)
    assert kinds.count("STATIC") == 300 - len(files.endpoints)


def test_header_rules_and_mirrors_have_clusters_of_their_own() -> None:
    match = [{"revision": "churn-b", "headers": [{"name": "x", "value": "y"}]}]
    files = render([deployment(match=match, mirror={"revision": "churn-c", "percent": 1})], "/run/x")
    assert names(files)[3:] == ["churn|churn-b|matched", "churn|churn-b|matched-failover", "churn|churn-c|mirror"]


def test_beside_a_mirror_pods_come_and_go_without_a_new_cluster_and_copies_are_cut_and_bounded() -> None:
    traffic = alone(mirror={"revision": "churn-b", "percent": 20}, attemptTimeout="2s")
    files = render([Deployment("churn", traffic, PODS)], "/run/x")
    stable, mirror = resources(files.clusters)
    assert (stable["type"], mirror["type"], len(files.endpoints)) == ("EDS", "EDS", 2)
    common = [
        cluster["typed_extension_protocol_options"][HTTP_OPTIONS]["common_http_protocol_options"]
        for cluster in (stable, mirror)
    ]
    assert [options.get("max_stream_duration") for options in common] == [None, "2.000s"]
    limits = [cluster["circuit_breakers"]["thresholds"][0]["max_requests"] for cluster in (stable, mirror)]
    assert limits == [1_000_000, 64]


def test_the_order_of_modeldeployments_does_not_matter() -> None:
    first, second = deployment("a"), deployment("b", port=10002)
    assert render([first, second], "/run/x") == render([second, first], "/run/x")


def test_a_change_of_weight_changes_the_routes_alone() -> None:
    before = render([deployment()], "/run/x")
    arms = [{**STABLE, "weight": 50}, {"revision": "churn-b", "role": "canary", "weight": 50, "failover": "churn-a"}]
    after = render([deployment(arms=arms, generation=2)], "/run/x")
    assert before.routes.version != after.routes.version
    assert (before.clusters, before.listeners, before.endpoints) == (after.clusters, after.listeners, after.endpoints)


def test_a_pod_that_comes_changes_files_of_endpoints_alone() -> None:
    before = render([deployment()], "/run/x")
    pods = {**PODS, "churn-b": (*PODS["churn-b"], PODS["churn-b"][0]._replace(address="10.0.1.2"))}
    after = render([Deployment("churn", traffic(), pods)], "/run/x")
    assert (before.clusters, before.routes, before.listeners) == (after.clusters, after.routes, after.listeners)
    changed = {path for path, file in after.endpoints.items() if before.endpoints[path] != file}
    assert changed == {"endpoints/churn|churn-b|canary.json"}


def test_the_last_pod_of_a_canary_takes_its_route_along() -> None:
    files = render([Deployment("churn", traffic(), {**PODS, "churn-b": ()})], "/run/x")
    (table,) = resources(files.routes)
    (host,) = table["virtual_hosts"]
    assert [route["name"] for route in host["routes"]] == ["churn|churn-a|stable"]


def test_retired_clusters_stay_until_they_are_left_out() -> None:
    old = render([deployment()], "/run/x")
    new = render([Deployment("churn", alone(), PODS)], "/run/x")
    kept = new.with_retired(old.clusters_by_name)
    assert [cluster["name"] for cluster in resources(kept)] == names(old)
    assert resources(kept)[0] == resources(new.clusters)[0]
    assert new.with_retired({}) == new.clusters


def test_nothing_to_serve_is_three_files_all_the_same() -> None:
    files = render([], "/run/x")
    assert [resources(files.clusters), resources(files.listeners), files.endpoints] == [[], [], {}]
    (table,) = resources(files.routes)
    assert table["virtual_hosts"] == []


def test_without_arms_there_is_a_listener_and_a_route_and_no_cluster() -> None:
    files = render([deployment(arms=[], unavailableReason="none yet")], "/run/x")
    assert (names(files), len(resources(files.listeners))) == ([], 1)
