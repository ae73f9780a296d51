"""What Envoy starts with."""

import itertools
import json
import re

from fairlead_gateway.bootstrap import bucket_bounds, render_bootstrap


def test_the_admin_interface_is_a_socket_of_the_folder_and_the_absent_listener_is_inside_of_envoy() -> None:
    bootstrap = json.loads(render_bootstrap("/run/x"))
    assert bootstrap["admin"]["address"]["pipe"]["path"] == "/run/x/admin.sock"
    (absent,) = bootstrap["static_resources"]["listeners"]
    assert (absent["name"], absent["internal_listener"], "address" in absent) == ("absent", {}, False)
    assert [extension["name"] for extension in bootstrap["bootstrap_extensions"]] == ["internal_listener"]
    (chain,) = absent["filter_chains"]
    (route,) = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]
    assert route["direct_response"]["status"] == 421
    headers = {added["header"]["key"]: added["header"]["value"] for added in route["response_headers_to_add"]}
    assert (headers["x-fairlead-absent"], headers["x-fairlead-reason"]) == ("1", "NoReadyEndpoint")
    assert "socket_address" not in json.dumps(bootstrap)


def test_files_are_read_from_the_folder() -> None:
    sources = json.loads(render_bootstrap("/run/x"))["dynamic_resources"]
    assert sources["cds_config"]["path_config_source"]["path"] == "/run/x/clusters.json"
    assert sources["lds_config"]["path_config_source"]["path"] == "/run/x/listeners.json"


def test_bounds_grow_by_a_quarter_from_half_a_millisecond_to_ten_minutes() -> None:
    bounds = bucket_bounds()
    assert bounds[0] == 0.5 and bounds[-2] < 600_000 <= bounds[-1]
    assert all(1.248 < later / earlier < 1.252 for earlier, later in itertools.pairwise(bounds))
    assert json.loads(render_bootstrap("/d"))["stats_config"]["histogram_bucket_settings"][0]["buckets"] == list(bounds)


def test_only_what_is_read_is_counted() -> None:
    patterns = json.loads(render_bootstrap("/d"))["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]
    regexes = [re.compile(pattern["safe_regex"]["regex"]) for pattern in patterns if "safe_regex" in pattern]

    def counted(name: str) -> bool:
        return any(regex.fullmatch(name) for regex in regexes)

    assert counted("cluster.churn|churn-b|canary.retry.upstream_rq_421")
    assert counted("cluster.churn|churn-b|matched-failover.upstream_rq_retry")
    assert not counted("cluster.churn|churn-b|failover.upstream_rq_time")
    assert counted("http.users.rds.fairlead.version_text")
    assert not counted("cluster.churn|churn-b|canary.upstream_cx_rx_bytes_total")
    assert not counted("http.absent.downstream_rq_total")
