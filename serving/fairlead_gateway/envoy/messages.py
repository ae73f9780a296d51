"""The parts of Envoy's v3 API that the gateway builds, and the one function that turns them into text.

Nothing is ever pasted into a text: a name or a header value is a value in one of these, whatever it holds.
Source: Envoy 1.40, api/envoy/config and api/envoy/extensions; field names are those of the protobuf messages.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

TYPE_PREFIX = "type.googleapis.com/"

Typed = Mapping[str, Any]
"""A google.protobuf.Any: the fields of a message, and its name as `@type`."""


class Extension(TypedDict):
    """A named extension with its configuration."""

    name: str
    typed_config: Typed


class HeaderMatch(TypedDict):
    """One request header with one exact value."""

    name: str
    string_match: Mapping[str, str]


class Fraction(TypedDict):
    """A share of the requests, drawn anew for each."""

    default_value: Mapping[str, int | str]


class RouteMatch(TypedDict):
    """Which requests a route takes."""

    prefix: str
    headers: NotRequired[Sequence[HeaderMatch]]
    runtime_fraction: NotRequired[Fraction]


class HeaderToAdd(TypedDict):
    """A header to set over whatever is there."""

    header: Mapping[str, str]
    append_action: str


class MirrorPolicy(TypedDict):
    """Where copies of requests go."""

    cluster: str
    runtime_fraction: Fraction
    disable_shadow_host_suffix_append: bool


class RetryPolicy(TypedDict):
    """What is sent again, how often and how soon."""

    retry_on: str
    num_retries: int
    retry_back_off: Mapping[str, str]
    retriable_headers: NotRequired[Sequence[HeaderMatch]]
    retriable_status_codes: NotRequired[Sequence[int]]
    refresh_cluster_on_retry: NotRequired[bool]
    retry_host_predicate: NotRequired[Sequence[Extension]]
    host_selection_retry_max_attempts: NotRequired[int]


class RouteAction(TypedDict):
    """Which cluster answers, within which time."""

    timeout: str
    idle_timeout: str
    retry_policy: RetryPolicy
    cluster: NotRequired[str]
    inline_cluster_specifier_plugin: NotRequired[Mapping[str, Extension]]
    request_mirror_policies: NotRequired[Sequence[MirrorPolicy]]


class DirectResponse(TypedDict):
    """An answer of Envoy's own."""

    status: int
    body: NotRequired[Mapping[str, str]]


class Route(TypedDict):
    """One line of a routing table."""

    match: RouteMatch
    name: NotRequired[str]
    route: NotRequired[RouteAction]
    direct_response: NotRequired[DirectResponse]
    request_body_buffer_limit: NotRequired[int]
    response_headers_to_add: NotRequired[Sequence[HeaderToAdd]]


class VirtualHost(TypedDict):
    """The routes of one ModelDeployment."""

    name: str
    domains: Sequence[str]
    routes: Sequence[Route]
    request_headers_to_remove: Sequence[str]


class LbEndpoint(TypedDict):
    """One address that a cluster may pick."""

    endpoint: Mapping[str, Any]
    metadata: NotRequired[Mapping[str, Any]]


class Locality(TypedDict):
    """Addresses of one priority."""

    priority: int
    lb_endpoints: Sequence[LbEndpoint]


class Assignment(TypedDict):
    """All addresses of a cluster."""

    cluster_name: str
    endpoints: Sequence[Locality]
    policy: Mapping[str, int]


class Cluster(TypedDict):
    """A set of addresses that are interchangeable, and how to talk to them."""

    name: str
    type: str
    connect_timeout: str
    per_connection_buffer_limit_bytes: int
    lb_policy: str
    load_assignment: NotRequired[Assignment]
    eds_cluster_config: NotRequired[Mapping[str, Any]]
    common_lb_config: Mapping[str, Any]
    circuit_breakers: Mapping[str, Any]
    typed_extension_protocol_options: Mapping[str, Typed]
    upstream_connection_options: Mapping[str, Any]
    outlier_detection: NotRequired[Mapping[str, int | str]]


class Listener(TypedDict):
    """A port that users talk to."""

    name: str
    address: Mapping[str, Any]
    per_connection_buffer_limit_bytes: int
    tcp_backlog_size: int
    socket_options: Sequence[Mapping[str, int | str]]
    filter_chains: Sequence[Mapping[str, Any]]


def typed(message: str, fields: Mapping[str, Any]) -> Typed:
    """A message under its full name ("envoy.config.cluster.v3.Cluster")."""
    return {"@type": TYPE_PREFIX + message, **fields}


def seconds(length: float | None) -> str:
    """A google.protobuf.Duration; None, no limit, is Envoy's 0."""
    return f"{length or 0:.3f}s"


def percent(share: int) -> Fraction:
    """A share of 0 to 100 percent."""
    return {"default_value": {"numerator": share, "denominator": "HUNDRED"}}


def set_header(name: str, value: str) -> HeaderToAdd:
    """Sets a header over whatever is there; `%` in the value begins one of Envoy's own words."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def path_source(path: str) -> Mapping[str, Any]:
    """A file that Envoy reads again whenever it is replaced by a rename."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def to_json(value: Mapping[str, Any]) -> str:
    """The text of any message, the same for the same message."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
