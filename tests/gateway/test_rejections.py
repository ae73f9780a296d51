"""What Envoy can still refuse after our own checks, and what of it is served then."""

import socket
import time

import pytest

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import LISTENERS_FILE, ROUTES_FILE, File, render
from tests.gateway.backend import Backend
from tests.gateway.client import ask
from tests.gateway.envoy import Envoy
from tests.gateway.traffic import canary, next_port, serving, stable

pytestmark = pytest.mark.process

HOSTILE = (
    "",
    '"',
    "'; DROP",
    "%REQ(:path)%",
    "%%",
    "%",
    "${HOME}",
    "{{x}}",
    "\\",
    '"}],"x":[{"',
    "a,b;c=d",
    "ü ☃",
    "x" * 1024,
    "{'a'}",
    "<&>",
    "*",
    ".*",
    "[",
)
TOKENS = "!#$%&'*+-.^_`|~09azAZ"


def refusals(envoy: Envoy, scope: str) -> int:
    """How often Envoy refused this file."""
    return int(envoy.json(f"/stats?format=json&filter=^{scope}[.]update_rejected$")["stats"][0]["value"])


def until_refused(envoy: Envoy, scope: str, before: int) -> None:
    """Wait for one more."""
    deadline = time.monotonic() + 5
    while refusals(envoy, scope) == before:
        assert time.monotonic() < deadline, "expected a refusal, got none"
        time.sleep(0.01)


def test_envoy_takes_every_value_that_the_gateway_s_own_checks_let_through(envoy: Envoy) -> None:
    deployments = [
        serving(
            f"h{number}",
            [stable(f"h{number}-a", 40), canary(f"h{number}-b", 60, failover=f"h{number}-a")],
            {f"h{number}-a": [Endpoint("fd00::1", 65535)], f"h{number}-b": [Endpoint("10.0.0.1", 1)]},
            match=[
                {
                    "revision": f"h{number}-b",
                    "headers": [{"name": TOKENS, "value": text}, {"name": "Host", "value": text}],
                }
            ],
            mirror={"revision": "z" * 63, "percent": 1},
            attemptTimeout="999999h",
            requestTimeout="1ms",
        )
        for number, text in enumerate(HOSTILE)
    ]
    deployments += [
        serving(f"none{number}", [], {}, unavailableReason=text * (1 if len(text) > 99 else 1024 // max(1, len(text))))
        for number, text in enumerate((*HOSTILE, "\x00\r\n\t", "☃", "\U0001f600"))
    ]
    envoy.apply(deployments, forget=True)  # waits until Envoy has taken each file
    for deployment in deployments[len(HOSTILE) :]:
        answer = ask(deployment.traffic.port)
        assert (answer.status, answer.headers["content-type"]) == (503, "application/json")


def test_a_port_that_is_taken_costs_the_others_nothing(envoy: Envoy) -> None:
    with Backend() as pod:
        port = next_port()
        with socket.create_server(("127.0.0.1", port)):
            taken = serving("taken", [stable("taken-a")], {"taken-a": [pod]}, port=port)
            other = serving("other", [stable("other-a")], {"other-a": [pod]})
            before = refusals(envoy, "listener_manager.lds")
            files = render([taken, other], str(envoy.folder), "127.0.0.1")
            for file in (files.clusters, files.routes, files.listeners):
                envoy.write(file)
            until_refused(envoy, "listener_manager.lds", before)
            assert ask(other.traffic.port).status == 200
            dump = envoy.json("/config_dump?resource=dynamic_listeners&mask=name,error_state.details")
            errors = {
                item.get("name"): item["error_state"]["details"] for item in dump["configs"] if "error_state" in item
            }
            assert errors["taken"] == f"cannot bind '127.0.0.1:{port}': Address already in use"
        envoy.write(File(LISTENERS_FILE, files.listeners.text.replace("\n", "\n\n"), files.listeners.version))
        deadline = time.monotonic() + 5
        while not envoy.listens(port) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert ask(port).status == 200


@pytest.mark.parametrize(
    "text",
    [
        '{"version_info":"x","resources":[{"@type":"type.googleapis.com/envoy.config.route.v3.RouteConfiguration",'
        '"name":"fairlead","virtual_hosts":[{"name":"a","domains":["x"]},{"name":"b","domains":["x"]}]}]}',
        '{"version_info":"x","resources":[{"@type":"type.googleapis.com/envoy.config.route.v3.RouteConfiguration",'
        '"name":"fairlead","virtual_hosts":[{"name":"","domains":[]}]}]}',
    ],
)
def test_a_table_of_routes_that_is_refused_leaves_the_one_before(envoy: Envoy, text: str) -> None:
    with Backend() as pod:
        deployment = serving("before", [stable("before-a")], {"before-a": [pod]})
        envoy.apply([deployment], forget=True)
        before = refusals(envoy, "http.users.rds.fairlead")
        envoy.write(File(ROUTES_FILE, text, "x"))
        until_refused(envoy, "http.users.rds.fairlead", before)
        assert ask(deployment.traffic.port).status == 200
