"""A revision's pods as Envoy clusters, one for each use, so that the counters of the uses never mix."""

from collections.abc import Sequence
from enum import StrEnum

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.envoy.messages import (
    Assignment,
    Cluster,
    LbEndpoint,
    Locality,
    Typed,
    path_source,
    seconds,
    typed,
)
from fairlead_gateway.traffic import Protocol

ABSENT_LISTENER = "absent"
METADATA_NAMESPACE = "fairlead"
CONNECT_TIMEOUT_SECONDS = 1.0
IDLE_SECONDS = 1.0
"""How long a connection to a pod is kept for the next request. A server that closes an idle connection just as a
request is sent on it makes that request fail, and it must not be sent twice: so the gateway closes first. Servers wait
2 s (gunicorn), 5 s (uvicorn, Node.js) or longer."""
BUFFER_BYTES = 64 * 1024
_NO_LIMIT = 1_000_000
_MIRROR_LIMIT = 64
_OVERPROVISIONING_PERCENT = 100_000
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Use(StrEnum):
    """What a cluster's requests are; the last part of its name."""

    STABLE = "stable"
    CANARY = "canary"
    PREVIOUS = "previous"
    FAILOVER = "failover"
    MATCHED = "matched"
    MATCHED_FAILOVER = "matched-failover"
    MIRROR = "mirror"


def cluster_name(deployment: str, revision: str, use: Use) -> str:
    """`<modeldeployment>|<revision>|<use>`; the revision of a failover is the one that failed first."""
    return f"{deployment}|{revision}|{use}"


def build_cluster(
    assignment: Assignment,
    *,
    protocol: Protocol,
    endpoints_file: str = "",
    attempt_timeout_seconds: float | None = None,
    failing_over: bool = False,
    bounded: bool = False,
) -> Cluster:
    """The cluster of one use of a revision.

    endpoints_file: where Envoy reads the assignment; empty: it stands in the cluster itself. failing_over: its requests
    have somewhere else to go, so that endpoints may be ejected. bounded: for copies of requests, which may be lost.
    """
    cluster: Cluster = {
        "name": assignment["cluster_name"],
        "type": "EDS" if endpoints_file else "STATIC",
        "connect_timeout": seconds(CONNECT_TIMEOUT_SECONDS),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "lb_policy": "LEAST_REQUEST",
        # Never send to an ejected endpoint because too many are ejected.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [_limits(bounded)]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: _http(protocol, attempt_timeout_seconds)},
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_probes": 3, "keepalive_time": 10, "keepalive_interval": 5}
        },
    }
    if endpoints_file:
        cluster["eds_cluster_config"] = {"eds_config": path_source(endpoints_file)}
    else:
        cluster["load_assignment"] = assignment
    if failing_over:
        cluster["outlier_detection"] = _outlier_detection()
    return cluster


def build_assignment(name: str, revision: str, endpoints: Sequence[Endpoint], failing_over: bool = False) -> Assignment:
    """The endpoints of a cluster.

    revision: who answers there, told to users. failing_over: its requests have somewhere else to go, so behind all
    pods stands the absent listener.
    """
    pods: Locality = {"priority": 0, "lb_endpoints": [_pod(revision, endpoint) for endpoint in endpoints]}
    absent: Locality = {
        "priority": 1,
        "lb_endpoints": [
            {"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": ABSENT_LISTENER}}}}
        ],
    }
    return {
        "cluster_name": name,
        "endpoints": [pods, absent] if failing_over else [pods],
        # While one endpoint is left it takes all requests; Envoy's own 140 % would send some on to the next priority.
        "policy": {"overprovisioning_factor": _OVERPROVISIONING_PERCENT},
    }


def _pod(revision: str, endpoint: Endpoint) -> LbEndpoint:
    address = {"socket_address": {"address": endpoint.address, "port_value": endpoint.port}}
    return {
        "endpoint": {"address": address},
        "metadata": {"filter_metadata": {METADATA_NAMESPACE: {"revision": revision}}},
    }


def _limits(bounded: bool) -> dict[str, int | str]:
    limit = _MIRROR_LIMIT if bounded else _NO_LIMIT
    return {
        "priority": "DEFAULT",
        "max_connections": limit,
        "max_pending_requests": limit,
        "max_requests": limit,
        "max_retries": limit,
    }


def _http(protocol: Protocol, attempt_timeout_seconds: float | None) -> Typed:
    common = {"idle_timeout": seconds(IDLE_SECONDS)}
    if attempt_timeout_seconds is not None:
        common["max_stream_duration"] = seconds(attempt_timeout_seconds)
    explicit: dict[str, dict[str, bool]] = (
        {"http2_protocol_options": {}}
        if protocol is Protocol.GRPC
        else {"http_protocol_options": {"enable_trailers": True}}
    )
    return typed(_HTTP_OPTIONS, {"common_http_protocol_options": common, "explicit_http_config": explicit})


def _outlier_detection() -> dict[str, int | str]:
    """Endpoints that fail are left alone for a while, without the operator.

    Ten failures in a row, or half of the attempts of a second and at least ten, eject one for 5 s, and for 5 s longer
    each time. A single endpoint is judged as well, and all may be ejected: their requests have somewhere else to go.
    """
    return {
        "interval": seconds(1),
        "base_ejection_time": seconds(5),
        "max_ejection_time": seconds(60),
        "max_ejection_percent": 100,
        "consecutive_5xx": 10,
        "enforcing_consecutive_5xx": 100,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 100,
        "failure_percentage_threshold": 50,
        "failure_percentage_minimum_hosts": 1,
        "failure_percentage_request_volume": 10,
    }
