"""ModelDeployments as the gateway serves them, in a line."""

import itertools
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_gateway.counters import PREFIX, STATS_PATH, read_counters
from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import Deployment
from fairlead_gateway.traffic import FIRST_PORT, LAST_PORT, parse_traffic
from tests.gateway.backend import Backend
from tests.gateway.envoy import Envoy

_numbers = itertools.count()


def stable(revision: str, weight: int = 100, failover: str = "") -> dict[str, Any]:
    """A stable arm."""
    return {"revision": revision, "role": "stable", "weight": weight, "failover": failover}


def canary(revision: str, weight: int, failover: str = "") -> dict[str, Any]:
    """A canary arm."""
    return {"revision": revision, "role": "canary", "weight": weight, "failover": failover}


def serving(
    name: str, arms: Sequence[Mapping[str, Any]], pods: Mapping[str, Sequence[Backend | Endpoint]], **fields: Any
) -> Deployment:
    """A ModelDeployment whose status and pods are these; without a port it gets the next one."""
    status = {"schema": 1, "epoch": 1, "generation": 1, "port": next_port(), "protocol": "http", "arms": arms, **fields}
    endpoints = {
        revision: [Endpoint(str(pod.address), int(pod.port)) for pod in found] for revision, found in pods.items()
    }
    return Deployment(name, parse_traffic({"status": {"traffic": status}}), endpoints)


def next_port() -> int:
    """A port of the gateway's range on which nobody listens.

    Envoys of other test runs on this machine would share it without a word: Envoy's sockets have SO_REUSEPORT.
    """
    for number in _numbers:
        port = FIRST_PORT + (os.getpid() * 37 + number) % (LAST_PORT - FIRST_PORT + 1)
        try:
            socket.create_server(("0.0.0.0", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("unreachable: the numbers do not end")


def counted(envoy: Envoy, deployment: Deployment) -> dict[tuple[str, str], dict[str, float]]:
    """(revision, use) -> the series of the gateway without their prefix."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for series in read_counters(envoy.json(STATS_PATH), [deployment]):
        labels = dict(series.labels)
        if "use" in labels:
            counts = found.setdefault((labels["revision"], labels["use"]), {})
            counts[series.name.removeprefix(PREFIX)] = series.value
    return found
