"""What the demo reads in a custom resource's status. Pure."""

from collections.abc import Mapping
from typing import Any


def condition(resource: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """One condition of the current generation, by type; empty when it is not there or speaks of an older one."""
    for found in resource.get("status", {}).get("conditions", ()):
        if found["type"] == kind and found.get("observedGeneration") == resource["metadata"]["generation"]:
            return dict(found)
    return {}


def is_true(resource: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition holds for the current generation."""
    return condition(resource, kind).get("status") == "True"


def describe(resource: Mapping[str, Any]) -> str:
    """Phase, reason and message in one line: what a person would look for."""
    phase = resource.get("status", {}).get("phase", "not seen by the operator yet")
    ready = condition(resource, "Stalled") or condition(resource, "Reconciling") or condition(resource, "Ready")
    words = [phase, ready.get("reason", ""), ready.get("message", "")]
    return ": ".join(dict.fromkeys(word for word in words if word))
