"""ModelDeployments for the tests of the pure modules."""

from typing import Any

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import Deployment
from fairlead_gateway.traffic import Traffic, parse_traffic

STABLE = {"revision": "churn-a", "role": "stable", "weight": 90}
CANARY = {"revision": "churn-b", "role": "canary", "weight": 10, "failover": "churn-a"}
PODS = {"churn-a": (Endpoint("10.0.0.1", 8080), Endpoint("10.0.0.2", 8080)), "churn-b": (Endpoint("10.0.1.1", 8080),)}


def traffic(**fields: Any) -> Traffic:
    """A rollout at 10 %, changed."""
    status = {"schema": 1, "epoch": 1, "generation": 1, "port": 10001, "arms": [STABLE, CANARY], **fields}
    return parse_traffic({"status": {"traffic": status}})


def alone(**fields: Any) -> Traffic:
    """One revision with all of the traffic, changed."""
    return traffic(**{"arms": [{**STABLE, "weight": 100}], **fields})


def deployment(name: str = "churn", **fields: Any) -> Deployment:
    """The rollout with its pods."""
    return Deployment(name, traffic(**fields), PODS)
