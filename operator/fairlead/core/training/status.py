"""What every decision about a TrainingJob is made of: its status, its plan, its lineage tags."""

from typing import Any

from fairlead.api.conditions import Condition, ConditionType, condition, merge_conditions
from fairlead.api.names import attempt_name
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.training_job import TrainingJobStatus, TrainingPhase
from fairlead.core.announce import announce
from fairlead.core.compare import digest_of
from fairlead.core.effects import Effect, ObjectRef, Plan, WriteStatus
from fairlead.core.findings import Finding
from fairlead.core.training.attempts import Ending, closed, keep_time
from fairlead.core.world import RegistryProblem, TrainingWorld

TAG_UID = "fairlead.trainingjob.uid"
TAG_NAME = "fairlead.trainingjob.name"
TAG_NAMESPACE = "fairlead.trainingjob.namespace"
TAG_ATTEMPT = "fairlead.attempt"
TAG_OPERATOR = "fairlead.operator.id"
TAG_IMAGE = "fairlead.image"
TAG_IMAGE_ID = "fairlead.image.id"
TAG_PARAMS = "fairlead.params.sha256"
TAG_GATE = "fairlead.gate"
TAG_GATE_REASON = "fairlead.gate.reason"
TAG_GIT_COMMIT = "fairlead.git.commit"
TAG_DIGEST = "fairlead.model.digest"
REGISTRY_RETRY_SECONDS = 5.0


def last_word(status: TrainingJobStatus) -> str:
    """Reason and message as the status tells them; empty while it tells nothing."""
    return next((f"{item.reason}: {item.message}" for item in status.conditions), "")


def writer_tag(alias: str) -> str:
    """The tag of a registered model that names who writes one of its aliases."""
    return f"fairlead.alias.{alias}.writer"


def lineage_tags(world: TrainingWorld) -> dict[str, str]:
    """What an MLflow run and a registered version say of where they come from."""
    meta, spec = world.resource.meta, world.resource.spec
    tags = {
        TAG_UID: meta.uid,
        TAG_NAME: meta.name,
        TAG_NAMESPACE: meta.namespace,
        TAG_ATTEMPT: str(world.resource.status.current_attempt),
        TAG_OPERATOR: world.operator_id,
        TAG_IMAGE: spec.container.image,
        TAG_PARAMS: digest_of(spec.params or {}),
    }
    images = sorted({item.image_id for pod in world.pods for item in pod.containers if item.image_id})
    return tags | ({TAG_IMAGE_ID: images[0]} if images else {})


def job_name(world: TrainingWorld) -> str:
    """The Job of the present attempt."""
    return attempt_name(world.resource.meta.name, world.resource.status.current_attempt)


def job_ref(world: TrainingWorld) -> ObjectRef:
    """The Job of the present attempt."""
    return ObjectRef("Job", job_name(world))


def make_status(
    world: TrainingWorld,
    phase: TrainingPhase,
    reason: Reason,
    text: str,
    *,
    end: Ending | None = None,
    **changes: Any,
) -> TrainingJobStatus:
    """The status with a phase and the conditions that go with it; `end` closes the attempt, `changes` are more fields.

    The times are brought up to what the pods show.
    """
    resource = world.resource
    timed = resource.status.model_copy(update=keep_time(world, phase))
    found = [condition(ConditionType.READY, phase is TrainingPhase.SUCCEEDED, reason, text)]
    if phase is TrainingPhase.FAILED or (phase is not TrainingPhase.SUCCEEDED and EXPLAINED[reason].stalls):
        found.append(condition(ConditionType.STALLED, True, reason, text))
    elif phase not in (TrainingPhase.SUCCEEDED, TrainingPhase.SUSPENDED):
        found.append(condition(ConditionType.RECONCILING, True, reason, text))
    conditions: tuple[Condition, ...] = merge_conditions(
        resource.status.conditions, found, generation=resource.meta.generation, now=world.now
    )
    update = {
        "observed_generation": resource.meta.generation,
        "phase": phase,
        "conditions": conditions,
        "attempt": resource.status.current_attempt,
        "attempts": closed(timed, end) if end else timed.attempts,
        **changes,
    }
    return timed.model_copy(update=update)


def make_plan(world: TrainingWorld, status: TrainingJobStatus, *effects: Effect, wait: float | None = None) -> Plan:
    """The status if it changed, then the effects."""
    old = world.resource.status
    before = world.resource.stored_status
    if status.wire() == before:
        return Plan(effects, wait)
    after = status.model_copy(update={"epoch": max(world.epoch, old.epoch)})
    return Plan((WriteStatus(before, after.wire(), announce(old.conditions, after.conditions)), *effects), wait)


def fail(world: TrainingWorld, finding: Finding, **changes: Any) -> Plan:
    """Latch the failure; what is left to do then needs no other status."""
    finished = world.job.finished if world.job else None
    status = make_status(
        world, TrainingPhase.FAILED, finding.reason, finding.message, completion_time=finished or world.now, **changes
    )
    return make_plan(world, status)


def registry_waits(world: TrainingWorld, problem: RegistryProblem, phase: TrainingPhase) -> Plan:
    return make_plan(world, make_status(world, phase, problem.reason, problem.message), wait=REGISTRY_RETRY_SECONDS)
