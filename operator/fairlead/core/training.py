"""Decides about a TrainingJob: open the MLflow run, start the Job, register what it logged, or say why not.

    no run ──> run open ──> Job ──> complete ──> one logged model ──> version ──> alias ──> Succeeded
                             └── failed, deleted, no model ──────────────────────────────> Failed

Each arrow is one write, found again by the TrainingJob's UID: a crash after any of them is taken up where it was.
Succeeded and Failed are latched in the status; nothing that happens to the Job or the registry later changes them.
"""

from datetime import datetime
from typing import Any

from fairlead.api.conditions import Condition, ConditionType, condition, merge_conditions
from fairlead.api.names import attempt_name
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.training_job import ModelVersionStatus, RunStatus, TrainingJobStatus, TrainingPhase
from fairlead.core.announce import announce
from fairlead.core.compare import digest_of, stamped
from fairlead.core.effects import (
    Apply,
    CloseRun,
    Effect,
    ObjectRef,
    OpenRun,
    Plan,
    RegisterVersion,
    SetAlias,
    WriteStatus,
)
from fairlead.core.findings import Finding, Symptoms, describe_exit, inspect, refusal_finding
from fairlead.core.refusals import refused_by_settings
from fairlead.core.world import RegistryProblem, TrainingWorld
from fairlead.render.training import render_job

TAG_UID = "fairlead.trainingjob.uid"
TAG_NAME = "fairlead.trainingjob.name"
TAG_NAMESPACE = "fairlead.trainingjob.namespace"
TAG_ATTEMPT = "fairlead.attempt"
TAG_OPERATOR = "fairlead.operator.id"
TAG_IMAGE = "fairlead.image"
TAG_IMAGE_ID = "fairlead.image.id"
TAG_PARAMS = "fairlead.params.sha256"
FIRST_ATTEMPT = 1
REGISTRY_RETRY_SECONDS = 5.0
PENDING_POLL_SECONDS = 2.0
CONFLICT_POLL_SECONDS = 10.0


def lineage_tags(world: TrainingWorld) -> dict[str, str]:
    """What an MLflow run and a registered version say of where they come from."""
    meta, spec = world.resource.meta, world.resource.spec
    tags = {
        TAG_UID: meta.uid,
        TAG_NAME: meta.name,
        TAG_NAMESPACE: meta.namespace,
        TAG_ATTEMPT: str(FIRST_ATTEMPT),
        TAG_OPERATOR: world.operator_id,
        TAG_IMAGE: spec.container.image,
        TAG_PARAMS: digest_of(spec.params or {}),
    }
    images = sorted({item.image_id for pod in world.pods for item in pod.containers if item.image_id})
    return tags | ({TAG_IMAGE_ID: images[0]} if images else {})


def _job_name(world: TrainingWorld) -> str:
    return attempt_name(world.resource.meta.name, FIRST_ATTEMPT)


def _status(world: TrainingWorld, phase: TrainingPhase, reason: Reason, text: str, **changes: Any) -> TrainingJobStatus:
    """The status with a phase and the conditions that go with it; `changes` are further fields."""
    resource = world.resource
    found = [condition(ConditionType.READY, phase is TrainingPhase.SUCCEEDED, reason, text)]
    if phase is TrainingPhase.FAILED or (phase is not TrainingPhase.SUCCEEDED and EXPLAINED[reason].stalls):
        found.append(condition(ConditionType.STALLED, True, reason, text))
    elif phase is not TrainingPhase.SUCCEEDED:
        found.append(condition(ConditionType.RECONCILING, True, reason, text))
    conditions: tuple[Condition, ...] = merge_conditions(
        resource.status.conditions, found, generation=resource.meta.generation, now=world.now
    )
    update = {
        "observed_generation": resource.meta.generation,
        "phase": phase,
        "conditions": conditions,
        "attempt": FIRST_ATTEMPT,
        **changes,
    }
    return resource.status.model_copy(update=update)


def _plan(world: TrainingWorld, status: TrainingJobStatus, *effects: Effect, wait: float | None = None) -> Plan:
    """The status if it changed, then the effects."""
    old = world.resource.status
    before = old.wire() if world.resource.has_status else None
    if status.wire() == before:
        return Plan(effects, wait)
    after = status.model_copy(update={"epoch": max(world.epoch, old.epoch)})
    return Plan((WriteStatus(before, after.wire(), announce(old.conditions, after.conditions)), *effects), wait)


def _fail(world: TrainingWorld, finding: Finding, **changes: Any) -> Plan:
    """Latch the failure; then close the run that the trainer left open, if the registry answers."""
    finished = world.job.finished if world.job else None
    status = _status(
        world, TrainingPhase.FAILED, finding.reason, finding.message, completion_time=finished or world.now, **changes
    )
    return _plan(world, status)


def _start(world: TrainingWorld) -> Plan:
    """Open the run, then start the Job."""
    spec, meta = world.resource.spec, world.resource.meta
    if isinstance(world.registry, RegistryProblem):
        return _registry_waits(world, world.registry, TrainingPhase.PENDING)
    run = world.registry.run
    if run is None:
        opening = OpenRun(f"{meta.namespace}/{meta.name}", lineage_tags(world))
        if world.resource.status.phase is TrainingPhase.PENDING:
            return Plan((opening,))  # a status that says "opening" would take turns with the reason why it fails
        status = _status(world, TrainingPhase.PENDING, Reason.PENDING, "opening the MLflow run")
        return _plan(world, status, opening)
    known = RunStatus(id=run.run_id, experiment_id=run.experiment_id, url=run.url)
    job = render_job(meta, spec, run=known, attempt=FIRST_ATTEMPT, defaults=world.defaults)
    made = Apply(stamped(job), absent=True)
    if world.resource.status.run == known:
        # The Job first: a status that says "starting" would take turns with the reason why the Job is refused.
        return Plan((made,))
    status = _status(world, TrainingPhase.PENDING, Reason.PENDING, f"starting Job {_job_name(world)}", run=known)
    return _plan(world, status, made)


def _registry_waits(world: TrainingWorld, problem: RegistryProblem, phase: TrainingPhase) -> Plan:
    return _plan(world, _status(world, phase, problem.reason, problem.message), wait=REGISTRY_RETRY_SECONDS)


def _watch(world: TrainingWorld) -> Plan:
    """The Job is there and has not ended."""
    symptoms = Symptoms(None, world.pods, builtin_server=False, now=world.now)
    finding = inspect(symptoms)
    if finding and finding.reason in (Reason.CONTAINER_CRASHED, Reason.OUT_OF_MEMORY):
        finding = None  # the Job controller is about to say that it failed
    if finding is None and world.job_warning and not world.pods:
        finding = refusal_finding(world.job_warning)
    running = any(pod.phase == "Running" for pod in world.pods)
    started = world.job.started if world.job else None
    if finding:
        status = _status(world, TrainingPhase.PENDING, finding.reason, finding.message)
    elif running or world.resource.status.phase is TrainingPhase.RUNNING:
        # A pod that has ended before its Job says so is still the trainer at work.
        status = _status(world, TrainingPhase.RUNNING, Reason.TRAINING, "the trainer runs", start_time=started)
    else:
        status = _status(world, TrainingPhase.PENDING, Reason.PENDING, "the trainer's pod is starting")
    return _plan(world, status, wait=None if running else PENDING_POLL_SECONDS)


def _trainer_failure(world: TrainingWorld) -> Plan:
    """The Job failed: exit code, last lines, and whether memory was the reason."""
    # The newest pod: an older one was taken away by the cluster, and its exit says nothing about the trainer.
    pods = sorted(world.pods, key=lambda pod: pod.created or world.now)
    exits = [item for pod in pods for item in pod.containers if item.exit_code not in (None, 0)]
    if not exits:
        text = world.job.failure if world.job else ""
        seen = next((pod.message for pod in world.pods if pod.message), "")
        return _fail(world, Finding(Reason.TRAINER_FAILED, f"{text} {seen}".strip(), final=True))
    last = exits[-1]
    reason = Reason.OUT_OF_MEMORY if last.exit_reason == "OOMKilled" else Reason.TRAINER_FAILED
    finding = Finding(reason, describe_exit(last), final=True)
    return _fail(world, finding, exit_code=last.exit_code, message=last.exit_message)


def _register(world: TrainingWorld) -> Plan:
    """The trainer ended well: register its one logged model, move the alias, say so."""
    resource = world.resource
    wanted = resource.spec.register_
    if isinstance(world.registry, RegistryProblem):
        return _registry_waits(world, world.registry, TrainingPhase.REGISTERING)
    if resource.status.phase is not TrainingPhase.REGISTERING:
        text = f"registering {wanted.model}"
        return _plan(world, _status(world, TrainingPhase.REGISTERING, Reason.REGISTERING, text))
    facts = world.registry
    if not facts.version:
        return _register_version(world)
    if facts.aliased_version != facts.version:
        return Plan((SetAlias(wanted.model, wanted.alias, facts.version),))
    if facts.run and facts.run.status != "FINISHED":
        return Plan((CloseRun(facts.run.run_id, "FINISHED"),))
    version = ModelVersionStatus(name=wanted.model, version=facts.version, alias=wanted.alias)
    text = f"{wanted.model} version {facts.version} is registered; alias {wanted.alias} points at it"
    status = _status(
        world,
        TrainingPhase.SUCCEEDED,
        Reason.SUCCEEDED,
        text,
        model_version=version,
        exit_code=0,
        start_time=world.job.started if world.job else resource.status.start_time,
        completion_time=_completed(world),
    )
    return _plan(world, status)


def _completed(world: TrainingWorld) -> datetime:
    return (world.job.finished if world.job else None) or world.now


def _register_version(world: TrainingWorld) -> Plan:
    """One logged model becomes a version; none or several are failures that only the trainer can mend."""
    assert not isinstance(world.registry, RegistryProblem)  # noqa: S101 -- the caller has looked
    models = world.registry.logged_models
    run_id = world.resource.status.run.id if world.resource.status.run else ""
    if not models:
        text = f"the trainer ended well, but its MLflow run {run_id} has no logged model"
        return _fail(world, Finding(Reason.NO_MODEL_LOGGED, text, final=True), exit_code=0)
    if len(models) > 1:
        ids = ", ".join(model.model_id for model in models)
        text = f"expected one logged model in MLflow run {run_id}, got {len(models)}: {ids}"
        return _fail(world, Finding(Reason.AMBIGUOUS_MODEL, text, final=True), exit_code=0)
    model, name = models[0], world.resource.spec.register_.model
    return Plan((RegisterVersion(name, model.source, run_id, model.model_id, lineage_tags(world)),))


def _conflict(world: TrainingWorld, ref: ObjectRef) -> Plan:
    text = f"{ref.kind} {ref.name} exists and is not controlled by this TrainingJob; it is left alone"
    status = _status(world, TrainingPhase.PENDING, Reason.NAME_CONFLICT, text)
    return _plan(world, status, wait=CONFLICT_POLL_SECONDS)


def _ended(world: TrainingWorld) -> Plan:
    """Nothing moves any more; a failed trainer's run is closed, once the registry answers."""
    status = world.resource.status
    if status.phase is not TrainingPhase.FAILED or isinstance(world.registry, RegistryProblem):
        return Plan()
    run = world.registry.run
    return Plan((CloseRun(run.run_id, "FAILED"),)) if run and run.status not in ("FAILED", "KILLED") else Plan()


def decide_training(world: TrainingWorld) -> Plan:
    """The plan for one TrainingJob."""
    resource = world.resource
    if resource.meta.deleting:
        return Plan()  # the Job goes with its owner
    if resource.status.ended:
        return _ended(world)
    ref = ObjectRef("Job", _job_name(world))
    child = world.children.get(ref)
    if child is not None and not child.ours:
        return _conflict(world, ref)
    if world.job is None:
        return _without_job(world)
    if world.job.failed:
        return _trainer_failure(world)
    return _register(world) if world.job.complete else _watch(world)


def _without_job(world: TrainingWorld) -> Plan:
    """No Job yet, or no more."""
    spec, status = world.resource.spec, world.resource.status
    if status.phase is TrainingPhase.REGISTERING:
        return _register(world)  # it ended well, as the status says, and was deleted since
    if status.phase is TrainingPhase.RUNNING:
        return _fail(world, Finding(Reason.JOB_DELETED, f"Job {_job_name(world)} was deleted while it ran", final=True))
    finding = refused_by_settings(spec, spec.container, spec.container.image, world.allowed)
    if finding is None and world.refused:
        finding = Finding(Reason.REJECTED, world.refused, final=True)
    if finding:
        status = _status(world, TrainingPhase.PENDING, finding.reason, finding.message)
        return _plan(world, status, wait=CONFLICT_POLL_SECONDS)
    return _start(world)
