"""What Envoy starts with: where its files lie, what it counts, and who answers for pods that are not there. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_gateway.envoy.clusters import ABSENT_LISTENER
from fairlead_gateway.envoy.listeners import STAT_PREFIX
from fairlead_gateway.envoy.messages import Typed, path_source, seconds, set_header, to_json, typed
from fairlead_gateway.envoy.routes import ABSENT_HEADER, REASON_HEADER, RETRY_AFTER_SECONDS
from fairlead_gateway.render import CLUSTERS_FILE, LISTENERS_FILE

ADMIN_SOCKET = "admin.sock"
BOOTSTRAP_FILE = "bootstrap.json"
MAX_CONNECTIONS = 20_000
ABSENT_STATUS = 421
_ABSENT_STAT_PREFIX = "absent"
_INTERNAL = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
_LUA = "envoy.extensions.filters.http.lua.v3.Lua"
# A request of gRPC would be answered with 200 and the status elsewhere, and could not be told from a pod's failure.
_STATUS_STAYS = {
    "inline_string": f"function envoy_on_response(it) it:headers():replace(':status', '{ABSENT_STATUS}') end"
}
_FIRST_BUCKET_MILLISECONDS = 0.5
_LAST_BUCKET_MILLISECONDS = 600_000.0
_BUCKET_STEP = 1.25

_CLUSTER_COUNTERS = (
    "upstream_rq_completed",
    "upstream_rq_5xx",
    "upstream_rq_421",
    "upstream_rq_429",
    "upstream_rq_retry",
    "upstream_rq_retry_overflow",
    "upstream_rq_max_duration_reached",
    "upstream_rq_pending_overflow",
    "upstream_cx_none_healthy",
    "upstream_cx_protocol_error",
    "retry_or_shadow_abandoned",
    "retry.upstream_rq_421",
    "retry.upstream_rq_429",
    "outlier_detection.ejections_active",
    "membership_total",
    "upstream_rq_time",
)


def bucket_bounds() -> tuple[float, ...]:
    """The upper bounds of the latency histogram in milliseconds: a fixed grid, each 1.25 times the one before."""
    bounds = [_FIRST_BUCKET_MILLISECONDS]
    while bounds[-1] < _LAST_BUCKET_MILLISECONDS:
        bounds.append(float(f"{bounds[-1] * _BUCKET_STEP:.4g}"))
    return tuple(bounds)


def render_bootstrap(directory: str, node_id: str = "fairlead-gateway") -> str:
    """Envoy's bootstrap. directory: absolute; where this file, Envoy's other files and its sockets lie."""
    return to_json(
        {
            "node": {"id": node_id, "cluster": "fairlead-gateway"},
            "admin": {"address": {"pipe": {"path": f"{directory}/{ADMIN_SOCKET}", "mode": 0o600}}},
            "dynamic_resources": {
                "cds_config": path_source(f"{directory}/{CLUSTERS_FILE}"),
                "lds_config": path_source(f"{directory}/{LISTENERS_FILE}"),
            },
            "static_resources": {"listeners": [_absent_listener()]},
            "bootstrap_extensions": [{"name": "internal_listener", "typed_config": typed(_INTERNAL, {})}],
            "stats_flush_interval": seconds(1),
            "stats_config": {
                "use_all_default_tags": False,
                "stats_matcher": {"inclusion_list": {"patterns": _counted()}},
                "histogram_bucket_settings": [{"match": {"prefix": "cluster."}, "buckets": bucket_bounds()}],
            },
            "overload_manager": {"resource_monitors": [_connections()]},
        }
    )


def _counted() -> Sequence[Mapping[str, Any]]:
    names = "|".join(name.replace(".", r"\.") for name in _CLUSTER_COUNTERS)
    return [
        {"safe_regex": {"regex": rf"cluster\..*\|.*\|(stable|canary|previous|matched|mirror)\.({names})"}},
        # Of second attempts only these are read.
        {"safe_regex": {"regex": r"cluster\..*\|.*\|(matched-)?failover\.upstream_rq_(retry|5xx)"}},
        {"safe_regex": {"regex": r"(cluster_manager\.cds|listener_manager\.lds)\..*"}},
        {"safe_regex": {"regex": rf"http\.{STAT_PREFIX}\.(rds\..*|downstream_(rq|cx)_active|downstream_rq_total)"}},
        {"prefix": "listener_manager."},
        {"prefix": "cluster_manager."},
        {"prefix": "overload."},
        {"exact": "server.uptime"},
        {"exact": "server.live"},
        {"exact": "server.memory_allocated"},
    ]


def _connections() -> Mapping[str, Any]:
    name = "envoy.resource_monitors.global_downstream_max_connections"
    config = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {"name": name, "typed_config": typed(config, {"max_active_downstream_connections": MAX_CONNECTIONS})}


def _absent_listener() -> Mapping[str, Any]:
    """Stands in for pods that are not there, as the last endpoint of their cluster.

    Without it Envoy answers at once and does not try again elsewhere. It is reached inside of Envoy, by the thread that
    has the request, so that it answers before much of a body has come. Its answer is no 5xx, or the outlier detection
    would eject it as well.
    """
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        {
            "stat_prefix": _ABSENT_STAT_PREFIX,
            "route_config": {"virtual_hosts": [{"name": "absent", "domains": ["*"], "routes": [_absent_route()]}]},
            "http_filters": [
                {"name": "envoy.filters.http.lua", "typed_config": typed(_LUA, {"default_source_code": _STATUS_STAYS})},
                {"name": "envoy.filters.http.router", "typed_config": _router()},
            ],
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "generate_request_id": False,
        },
    )
    return {
        "name": ABSENT_LISTENER,
        "internal_listener": {},
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _absent_route() -> Mapping[str, Any]:
    headers = {
        ABSENT_HEADER: "1",
        REASON_HEADER: "NoReadyEndpoint",
        "retry-after": str(RETRY_AFTER_SECONDS),
        "content-type": "application/json",
    }
    body = to_json({"reason": "NoReadyEndpoint", "message": "no pod of this revision is ready"})
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": ABSENT_STATUS, "body": {"inline_string": body}},
        "response_headers_to_add": [set_header(name, value) for name, value in headers.items()],
    }


def _router() -> Typed:
    return typed("envoy.extensions.filters.http.router.v3.Router", {"suppress_envoy_headers": True})
