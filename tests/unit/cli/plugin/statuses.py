"""Statuses as the operator writes them in a rollout, for the tests of the plugin."""

from typing import Any

NOW = "2026-05-04T12:00:00Z"
OLD, NEW = "churn-1a2b3c4d", "churn-5e6f7a8b"
DIGEST = "sha256:" + "0" * 64


def slot(revision: str, version: str, ready: int = 2) -> dict[str, Any]:
    """A revision and how it stands."""
    return {"revision": revision, "modelVersion": version, "ready": ready, "since": "2026-05-04T10:00:00Z"}


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    """One condition."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-05-04T11:50:00Z",
    }


def decision(action: str, weight: float, reason: str = "StepPassed", **numbers: Any) -> dict[str, Any]:
    """One thing that a rollout did."""
    return {"at": "2026-05-04T11:55:00Z", "action": action, "reason": reason, "weight": weight, **numbers}


def evidence(**other: Any) -> dict[str, Any]:
    """A canary at its first step, with too few requests."""
    return {
        "candidate": NEW,
        "incumbent": OLD,
        "since": "2026-05-04T11:55:00Z",
        "updated": "2026-05-04T11:59:52Z",
        "stage": "Canary",
        "step": 1,
        "steps": 3,
        "weight": 5,
        "verdict": "unknown",
        "reason": "TooFewRequests",
        "requests": 112,
        "failures": 1,
        "neededRequests": 150,
        "seconds": 300,
        "neededSeconds": 30,
        "etaSeconds": 720,
        "fast": 3.16,
        "brakeAt": 100,
        "sure": 0.8,
        "rollBackAt": 200,
        "policy": '{"alpha":0.01}',
        "state": "[]",
        "decisions": [decision("begin", 5, "TooFewRequests")],
        **other,
    }


def ended(outcome: str, revision: str = NEW, version: str = "7", **other: Any) -> dict[str, Any]:
    """A rollout that has ended."""
    return {
        "revision": revision,
        "modelVersion": version,
        "outcome": outcome,
        "reason": "ErrorsAboveStable",
        "message": "12 of 60 requests failed",
        "ended": "2026-05-04T11:58:00Z",
        **other,
    }


def traffic(*weights: int) -> dict[str, Any]:
    """Shares of stable and, with two weights, of the candidate."""
    arms = [{"revision": OLD, "role": "stable", "weight": weights[0]}]
    if len(weights) > 1:
        arms.append({"revision": NEW, "role": "canary", "weight": weights[1]})
    return {"schema": 1, "epoch": 1, "generation": 4, "port": 10000, "arms": arms}


def status(phase: str = "Stable", **other: Any) -> dict[str, Any]:
    """Version 6 serves, alone."""
    return {
        "observedGeneration": 1,
        "phase": phase,
        "model": {"name": "churn", "alias": "candidate", "version": "6", "digest": DIGEST},
        "stable": slot(OLD, "6"),
        "traffic": traffic(100),
        "conditions": [
            condition("Ready", "True", "Serving"),
            condition("RolledOut", "True", "RolledOut", f"revision {OLD} serves"),
            condition("ModelResolved", "True", "ModelResolved", f"churn version 6: {DIGEST}"),
            condition("Programmed", "True", "Programmed", "2 of 2 gateway pods serve generation 4"),
        ],
        **other,
    }


def rolling(phase: str = "Canary", reason: str = "TooFewRequests", **other: Any) -> dict[str, Any]:
    """Version 7 gets its first share beside version 6."""
    return {
        **status(phase),
        "model": {"name": "churn", "alias": "candidate", "version": "7", "digest": DIGEST},
        "candidate": slot(NEW, "7", 1),
        "traffic": traffic(95, 5),
        "evidence": evidence(),
        "conditions": [
            condition("Ready", "True", "Serving"),
            condition("RolledOut", "False", reason, f"revision {NEW} has 5% of the traffic"),
        ],
        **other,
    }


def rolled_back(**other: Any) -> dict[str, Any]:
    """Version 7 was worse; version 6 serves on."""
    return {
        **status("RolledBack"),
        "model": {"name": "churn", "alias": "candidate", "version": "7", "digest": DIGEST},
        "history": [ended("RolledBack")],
        "quarantine": [
            {
                "revision": NEW,
                "reason": "ErrorsAboveStable",
                "message": "12 of 60 requests failed",
                "digest": DIGEST,
                "since": "2026-05-04T11:58:00Z",
            }
        ],
        "conditions": [
            condition("Ready", "True", "Serving"),
            condition("RolledOut", "False", "ErrorsAboveStable", f"revision {NEW} is quarantined"),
            condition("Stalled", "True", "ErrorsAboveStable", f"revision {NEW} is quarantined"),
        ],
        **other,
    }
