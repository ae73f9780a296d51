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
    coming = condition(resource, "RolledOut")
    told = (
        condition(resource, "Stalled")
        or condition(resource, "Reconciling")
        or (coming if coming.get("status") == "False" else condition(resource, "Ready"))
    )
    words = [phase, told.get("reason", ""), told.get("message", "")]
    return ": ".join(dict.fromkeys(word for word in words if word))


def gate(job: Mapping[str, Any]) -> str:
    """The metrics against the gate, with numbers; empty before the gate has judged."""
    found = job.get("status", {}).get("gate") or {}
    return ", ".join(_rule(rule) for rule in found.get("rules", ()))


def _rule(rule: Mapping[str, Any]) -> str:
    bounds = [f"at least {rule['min']:g}"] if "min" in rule else []
    bounds += [f"at most {rule['max']:g}"] if "max" in rule else []
    value = f"{rule['value']:.4f}" if "value" in rule else "missing"
    return f"{rule['metric']} {value}, expected {' and '.join(bounds)}: {'passed' if rule.get('passed') else 'failed'}"


def describe_training(job: Mapping[str, Any]) -> str:
    """The line that follows a TrainingJob: phase, reason, message, and the attempt when it is not the first."""
    attempt = job.get("status", {}).get("attempt", 0)
    return describe(job) + (f"; attempt {attempt}" if attempt > 1 else "")


BAR = 20


def describe_rollout(deployment: Mapping[str, Any]) -> str:
    """The line that follows a rollout: who gets how much, as a bar, and what is waited for."""
    status = deployment.get("status", {})
    weights = [arm for arm in (status.get("traffic") or {}).get("arms", ()) if arm.get("weight")]
    versions = {
        slot["revision"]: slot.get("modelVersion") or "?"
        for slot in (status.get(role) or {} for role in ("previous", "candidate", "stable"))
        if slot
    }
    shares = [f"v{versions.get(arm['revision'], '?')} {arm['weight']}%" for arm in weights]
    filled = round(BAR * max((arm["weight"] for arm in weights if arm["role"] == "stable"), default=0) / 100)
    return f"[{'#' * filled}{'-' * (BAR - filled)}] {', '.join(shares) or 'nobody'}; {describe(deployment)}"


def answers_users(deployment: Mapping[str, Any]) -> bool:
    """Whether what the spec asks for has all of the traffic, on probation or not."""
    told = condition(deployment, "RolledOut")
    tried = told.get("reason") == "OnProbation" and "candidate" not in deployment.get("status", {})
    return told.get("status") == "True" or tried


def describe_serving(deployment: Mapping[str, Any]) -> str:
    """The line that follows a ModelDeployment: phase, reason, message, what serves and what is coming."""
    status = deployment.get("status", {})
    arms = [(role, status.get(role) or {}) for role in ("stable", "candidate")]
    parts = [f"{role}: version {arm.get('modelVersion', '?')}, revision {arm['revision']}" for role, arm in arms if arm]
    return "; ".join([describe(deployment), *(parts or ["nothing serves yet"])])
