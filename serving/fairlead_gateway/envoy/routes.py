"""Who answers which request: one table of all ModelDeployments, looked up by a header that the listener sets.

A table per ModelDeployment would be a file, and so an inotify instance, for each of them; Linux grants a user 128 by
default, on the whole node, and Envoy aborts when it gets none.
"""

from collections.abc import Collection, Iterable, Sequence

from fairlead_gateway.envoy.clusters import METADATA_NAMESPACE, Use, cluster_name
from fairlead_gateway.envoy.messages import (
    Extension,
    HeaderMatch,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    percent,
    seconds,
    set_header,
    to_json,
    typed,
)
from fairlead_gateway.traffic import Arm, Match, Role, Traffic

ROUTES_NAME = "fairlead"
DEPLOYMENT_HEADER = "x-fairlead-modeldeployment"
ABSENT_HEADER = "x-fairlead-absent"
REVISION_HEADER = "x-fairlead-revision"
REASON_HEADER = "x-fairlead-reason"
RETRY_AFTER_SECONDS = 5
FAILOVER_BODY_BYTES = 256 * 1024
"""The longest body that can be sent a second time; it is kept in memory until the answer begins."""
IDLE_SECONDS = 300.0
_PRIORITY_GROUPS = "envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupClusterSpecifier"
_PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_NEVER_REACHED = "connect-failure,refused-stream,reset-before-request"
_FAILED = "5xx,reset,connect-failure,refused-stream,retriable-status-codes"
_FAILED_GRPC = "cancelled,deadline-exceeded,internal,resource-exhausted,unavailable"


def build_routes(deployment: str, traffic: Traffic, ready: Collection[str]) -> tuple[Route, ...]:
    """The routes of one ModelDeployment: those by header first, then the shares, stable last, which takes the rest.

    ready: the revisions that have an endpoint; the share of another one goes to stable. While stable has none, the one
    that it has replaced answers: a promotion may be heard of before stable's endpoints are.
    """
    stable = traffic.stable
    if stable is None:
        return (_unavailable(traffic.unavailable_reason),)
    by_revision = {arm.revision: arm for arm in traffic.arms}
    routes = [
        _route(deployment, traffic, by_revision[match.revision], _headers(match))
        for match in traffic.match
        if match.revision in ready
    ]
    below_percent = 0
    for arm in traffic.arms:
        if arm is not stable and arm.weight and arm.revision in ready:
            # All routes are held against one random number of the request, so the bounds add up.
            below_percent += arm.weight
            routes.append(_route(deployment, traffic, arm, {"prefix": "/", "runtime_fraction": percent(below_percent)}))
    standing_by = (arm for arm in traffic.arms if arm.role is Role.PREVIOUS and arm.revision in ready)
    rest = stable if stable.revision in ready else next(standing_by, stable)
    return (*routes, _route(deployment, traffic, rest, {"prefix": "/"}))


def build_host(deployment: str, routes: Sequence[Route]) -> VirtualHost:
    """The routes of one ModelDeployment, found by the header that its listener sets."""
    return {
        "name": deployment,
        "domains": [deployment],
        "routes": routes,
        # A pod that sent the header of the absent listener back would be taken for it; the others are no user's.
        "request_headers_to_remove": [DEPLOYMENT_HEADER, ABSENT_HEADER, "x-envoy-external-address", "x-envoy-internal"],
    }


def build_table(hosts: Iterable[str]) -> str:
    """The text of the RouteConfiguration that all listeners share, around the texts of its hosts."""
    table = typed(
        "envoy.config.route.v3.RouteConfiguration",
        {
            "name": ROUTES_NAME,
            # Each listener sets it over what users send.
            "vhost_header": DEPLOYMENT_HEADER,
            "response_headers_to_add": [
                set_header(REVISION_HEADER, f"%UPSTREAM_METADATA({METADATA_NAMESPACE}:revision)%")
            ],
            "max_direct_response_body_size_bytes": 16384,
        },
    )
    return f'{to_json(table)[:-1]},"virtual_hosts":[{",".join(hosts)}]}}'


def _headers(match: Match) -> RouteMatch:
    headers: list[HeaderMatch] = [
        {"name": header.name, "string_match": {"exact": header.value}} for header in match.headers
    ]
    return {"prefix": "/", "headers": headers}


def _route(deployment: str, traffic: Traffic, arm: Arm, match: RouteMatch) -> Route:
    use, failover = (Use.MATCHED, Use.MATCHED_FAILOVER) if "headers" in match else (Use(arm.role), Use.FAILOVER)
    first = cluster_name(deployment, arm.revision, use)
    second = cluster_name(deployment, arm.revision, failover)
    idle_seconds = None if traffic.request_timeout is None else max(IDLE_SECONDS, traffic.request_timeout)
    action: RouteAction = {
        "timeout": seconds(traffic.request_timeout),
        "idle_timeout": seconds(idle_seconds),
        "retry_policy": _retry_policy(traffic, arm),
    }
    if has_failover(arm):
        action["inline_cluster_specifier_plugin"] = {"extension": _priority_groups(first, second)}
    else:
        action["cluster"] = first
    if traffic.mirror:
        action["request_mirror_policies"] = [
            {
                "cluster": cluster_name(deployment, traffic.mirror.revision, Use.MIRROR),
                "runtime_fraction": percent(traffic.mirror.percent),
                "disable_shadow_host_suffix_append": True,
            }
        ]
    return {
        "name": first,
        "match": match,
        "route": action,
        "request_body_buffer_limit": FAILOVER_BODY_BYTES,
        "response_headers_to_add": [set_header(REVISION_HEADER, f"%UPSTREAM_METADATA({METADATA_NAMESPACE}:revision)%")],
    }


def has_failover(arm: Arm) -> bool:
    """Whether an attempt on this arm can go on elsewhere; only stable may have nobody behind it."""
    return bool(arm.failover) or arm.role is not Role.STABLE


def _retry_policy(traffic: Traffic, arm: Arm) -> RetryPolicy:
    if not has_failover(arm):
        # Such an attempt reached no pod, so that it can be made again; the others may have had their effect.
        return {
            "retry_on": _NEVER_REACHED,
            "num_retries": 2,
            "retry_back_off": {"base_interval": seconds(0.005), "max_interval": seconds(0.02)},
            "retry_host_predicate": [
                {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": typed(_PREVIOUS_HOSTS, {})}
            ],
            "host_selection_retry_max_attempts": 3,
        }
    failed = f"{_FAILED},{_FAILED_GRPC}" if traffic.protocol == "grpc" else _FAILED
    policy: RetryPolicy = {
        "retry_on": f"{failed if arm.failover else _NEVER_REACHED},retriable-headers",
        "num_retries": 1,
        "retry_back_off": {"base_interval": seconds(0.001), "max_interval": seconds(0.001)},
        "retriable_headers": [{"name": ABSENT_HEADER, "string_match": {"exact": "1"}}],
        "refresh_cluster_on_retry": True,
    }
    if arm.failover:
        policy["retriable_status_codes"] = [429]
    return policy


def _priority_groups(first: str, second: str) -> Extension:
    groups = [
        {"name": name, "clusters": [{"cluster_name": cluster, "weight": 1}]}
        for name, cluster in (("first", first), ("second", second))
    ]
    return {"name": "priority_group", "typed_config": typed(_PRIORITY_GROUPS, {"priority_groups": groups})}


def _unavailable(message: str) -> Route:
    reason = "NoRevision"
    body = to_json({"reason": reason, "message": message or "no revision serves this ModelDeployment"})
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 503, "body": {"inline_string": body}},
        "response_headers_to_add": [
            set_header("retry-after", str(RETRY_AFTER_SECONDS)),
            set_header(REASON_HEADER, reason),
            set_header("content-type", "application/json"),
        ],
    }
