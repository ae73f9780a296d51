"""The ports of the gateway: one for each ModelDeployment, all with the same settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_gateway.envoy.messages import Extension, Listener, Typed, path_source, seconds, set_header, typed
from fairlead_gateway.envoy.routes import DEPLOYMENT_HEADER, REASON_HEADER, RETRY_AFTER_SECONDS, ROUTES_NAME

STAT_PREFIX = "users"
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_EARLY_MUTATION = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_BUFFER_BYTES = 16 * 1024
"""How much of a body is read at a time. The absent listener answers, and the request goes on elsewhere, before
`FAILOVER_BODY_BYTES` have come: tried, with 64 KiB most bodies above 300 kB to an ejected canary failed."""
_KEEPALIVE = ((1, 9, 1), (6, 4, 60), (6, 5, 10), (6, 6, 3))  # SO_KEEPALIVE; TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT
_OWN_ANSWERS = (
    # Envoy's flags, the status, the reason and what it means; flags: "response flags" in Envoy's access log reference.
    (("UH", "NC"), 503, "NoReadyEndpoint", "no pod of the model is ready"),
    (("NR",), 503, "NotServed", "the gateway does not serve this ModelDeployment yet"),
    (("UO",), 503, "GatewayOverloaded", "the gateway has too many requests in flight"),
    (("UF",), 503, "ModelUnreachable", "no connection to a pod of the model"),
    (("UC", "UR", "LR"), 503, "ModelDisconnected", "a pod of the model ended the request before it answered"),
    (("UMSDR",), 504, "AttemptTimeout", "the model did not answer within attemptTimeout"),
    (("UT",), 504, "RequestTimeout", "the model did not answer within requestTimeout"),
)


def build_listener(name: str, address: str, port: int, routes_file: str) -> Listener:
    """The listener of one ModelDeployment on one port of the pod."""
    return {
        "name": name,
        "address": {"socket_address": {"address": address, "port_value": port, "ipv4_compat": address == "::"}},
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "tcp_backlog_size": 4096,
        "socket_options": [
            {"level": level, "name": option, "int_value": value, "state": "STATE_PREBIND"}
            for level, option, value in _KEEPALIVE
        ],
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _manager(name, routes_file)}]}],
    }


def _manager(name: str, routes_file: str) -> Typed:
    return typed(
        _MANAGER,
        {
            "stat_prefix": STAT_PREFIX,
            "codec_type": "AUTO",
            "rds": {"route_config_name": ROUTES_NAME, "config_source": path_source(routes_file)},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": _router()}],
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "http_protocol_options": {"accept_http_10": True, "enable_trailers": True},
            # Whoever talks to this port is a user: nobody's x-envoy- headers are obeyed.
            "early_header_mutation_extensions": [
                early_mutation(
                    {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}},
                    # Before the route is looked up: whose listener this is.
                    {"append": set_header(DEPLOYMENT_HEADER, name)},
                )
            ],
            "use_remote_address": True,
            "xff_num_trusted_hops": 1,
            "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
            # A model's paths and names arrive as they were sent.
            "normalize_path": False,
            "merge_slashes": False,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "server_header_transformation": "PASS_THROUGH",
            "generate_request_id": False,
            "request_headers_timeout": seconds(30),
            "local_reply_config": {"mappers": [_own_answer(*answer) for answer in _OWN_ANSWERS]},
        },
    )


def early_mutation(*mutations: Mapping[str, Any]) -> Extension:
    """Changes a request's headers before anything looks at them."""
    config = typed(_EARLY_MUTATION, {"mutations": mutations})
    return {"name": "envoy.http.early_header_mutation.header_mutation", "typed_config": config}


def _router() -> Typed:
    return typed("envoy.extensions.filters.http.router.v3.Router", {"suppress_envoy_headers": True})


def _own_answer(flags: Sequence[str], status: int, reason: str, message: str) -> Mapping[str, Any]:
    headers = {REASON_HEADER: reason} | ({"retry-after": str(RETRY_AFTER_SECONDS)} if status == 503 else {})
    return {
        "filter": {"response_flag_filter": {"flags": flags}},
        "status_code": status,
        "headers_to_add": [set_header(name, value) for name, value in headers.items()],
        "body_format_override": {"json_format": {"reason": reason, "message": message}},
    }
