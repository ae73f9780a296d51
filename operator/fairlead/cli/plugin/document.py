"""A resource as one JSON document for programs: the status, and the words for it beside."""

from typing import Any

from fairlead.api.resource import ModelDeployment, TrainingJob
from fairlead.cli.plugin.evidence_view import spell_stage
from fairlead.cli.plugin.expecting import expect
from fairlead.cli.plugin.training_view import because
from fairlead.cli.plugin.words import PHASES, TRAINING

_INNER = ("policy", "state")
"""What the operator keeps for itself in evidence and probation: JSON within JSON, and no promise."""


def deployment_document(resource: ModelDeployment) -> dict[str, Any]:
    """`kind`, `namespace`, `name`, `current`, `says`, `waitsFor`, `etaSeconds`, and `status` as the API has it."""
    status, waits = resource.status.wire(), expect(resource)
    if resource.status.evidence:
        status["evidence"] = {**_outer(status["evidence"]), "says": spell_stage(resource.status.evidence.stage)}
    if resource.status.probation:
        status["probation"] = _outer(status["probation"])
    phase = resource.status.phase
    return {
        **_head("ModelDeployment", resource),
        "says": PHASES[phase] if phase else "",
        "waitsFor": waits.text,
        "etaSeconds": waits.eta_seconds,
        "status": status,
    }


def _outer(seen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in seen.items() if name not in _INNER}


def training_document(resource: TrainingJob) -> dict[str, Any]:
    """The same of a TrainingJob, without an ETA."""
    phase = resource.status.phase
    return {
        **_head("TrainingJob", resource),
        "says": TRAINING[phase] if phase else "",
        "waitsFor": "" if resource.status.ended else because(resource),
        "status": resource.status.wire(),
    }


def _head(kind: str, resource: ModelDeployment | TrainingJob) -> dict[str, Any]:
    meta, status = resource.meta, resource.status
    current = resource.has_status and status.observed_generation >= meta.generation
    return {"kind": kind, "namespace": meta.namespace, "name": meta.name, "current": current}
