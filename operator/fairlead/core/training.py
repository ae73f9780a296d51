"""Decides about a TrainingJob: open the MLflow run, start the Job, judge and register what it logged, or say why not.

    no run ──> run open ──> Job ──> complete ──> one logged model ──> gate ──> version ──> alias ──> Succeeded
                             └── failed, deleted, no model, below the gate ─────────────────────> Failed

Each arrow is one write, found again by the TrainingJob's UID: a crash after any of them is taken up where it was.
Succeeded and Failed are latched in the status; nothing that happens to the Job or the registry later changes them.
"""

from fairlead.api.reasons import Reason
from fairlead.api.training_job import RunStatus, TrainingPhase
from fairlead.core.compare import stamped
from fairlead.core.effects import Apply, CloseRun, ObjectRef, OpenRun, Plan, TagRun
from fairlead.core.findings import Finding, Symptoms, describe_exit, inspect, refusal_finding
from fairlead.core.gating import pass_gate
from fairlead.core.refusals import refused_by_settings, refused_by_tenancy
from fairlead.core.registering import register
from fairlead.core.training_status import (
    FIRST_ATTEMPT,
    TAG_GATE,
    TAG_GATE_REASON,
    fail,
    job_name,
    lineage_tags,
    make_plan,
    make_status,
    registry_waits,
)
from fairlead.core.world import RegistryProblem, TrainingWorld
from fairlead.render.training import render_job

PENDING_POLL_SECONDS = 2.0
CONFLICT_POLL_SECONDS = 10.0
CLOSE_RETRY_SECONDS = 30.0


def _start(world: TrainingWorld) -> Plan:
    """Open the run, then start the Job."""
    spec, meta = world.resource.spec, world.resource.meta
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.PENDING)
    run = world.registry.run
    if run is None:
        opening = OpenRun(f"{meta.namespace}/{meta.name}", lineage_tags(world))
        if world.resource.status.phase is TrainingPhase.PENDING:
            return Plan((opening,))  # a status that says "opening" would take turns with the reason why it fails
        status = make_status(world, TrainingPhase.PENDING, Reason.PENDING, "opening the MLflow run")
        return make_plan(world, status, opening)
    known = RunStatus(id=run.run_id, experiment_id=run.experiment_id, url=run.url)
    job = render_job(meta, spec, run=known, attempt=FIRST_ATTEMPT, defaults=world.defaults)
    made = Apply(stamped(job), absent=True)
    if world.resource.status.run == known:
        # The Job first: a status that says "starting" would take turns with the reason why the Job is refused.
        return Plan((made,))
    status = make_status(world, TrainingPhase.PENDING, Reason.PENDING, f"starting Job {job_name(world)}", run=known)
    return make_plan(world, status, made)


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
        status = make_status(world, TrainingPhase.PENDING, finding.reason, finding.message)
    elif running or world.resource.status.phase is TrainingPhase.RUNNING:
        # A pod that has ended before its Job says so is still the trainer at work.
        status = make_status(world, TrainingPhase.RUNNING, Reason.TRAINING, "the trainer runs", start_time=started)
    else:
        status = make_status(world, TrainingPhase.PENDING, Reason.PENDING, "the trainer's pod is starting")
    return make_plan(world, status, wait=None if running else PENDING_POLL_SECONDS)


def _trainer_failure(world: TrainingWorld) -> Plan:
    """The Job failed: exit code, last lines, and whether memory was the reason."""
    # The newest pod: an older one was taken away by the cluster, and its exit says nothing about the trainer.
    pods = sorted(world.pods, key=lambda pod: pod.created or world.now)
    exits = [item for pod in pods for item in pod.containers if item.exit_code not in (None, 0)]
    if not exits:
        text = world.job.failure if world.job else ""
        seen = next((pod.message for pod in world.pods if pod.message), "")
        return fail(world, Finding(Reason.TRAINER_FAILED, f"{text} {seen}".strip(), final=True))
    last = exits[-1]
    reason = Reason.OUT_OF_MEMORY if last.exit_reason == "OOMKilled" else Reason.TRAINER_FAILED
    finding = Finding(reason, describe_exit(last), final=True)
    return fail(world, finding, exit_code=last.exit_code, message=last.exit_message)


def _conflict(world: TrainingWorld, ref: ObjectRef) -> Plan:
    text = f"{ref.kind} {ref.name} exists and is not controlled by this TrainingJob; it is left alone"
    status = make_status(world, TrainingPhase.PENDING, Reason.NAME_CONFLICT, text)
    return make_plan(world, status, wait=CONFLICT_POLL_SECONDS)


def _ended(world: TrainingWorld) -> Plan:
    """Nothing moves any more; the run of a failure says so too, once the registry answers."""
    status = world.resource.status
    if status.phase is not TrainingPhase.FAILED:
        return Plan()
    if isinstance(world.registry, RegistryProblem):
        return Plan((), CLOSE_RETRY_SECONDS) if status.run else Plan()
    run = world.registry.run
    if run is None:
        return Plan()
    below_gate = status.gate is not None and not status.gate.passed
    if below_gate and run.gate != "failed":
        return Plan((TagRun(run.run_id, {TAG_GATE: "failed", TAG_GATE_REASON: _why(world)}),))
    if below_gate:  # the trainer has done its work, and the tag says that it was not enough
        return Plan((CloseRun(run.run_id, "FINISHED"),)) if run.status != "FINISHED" else Plan()
    return Plan((CloseRun(run.run_id, "FAILED"),)) if run.status not in ("FAILED", "KILLED") else Plan()


def _why(world: TrainingWorld) -> str:
    """The reason and the message of what has ended, as the conditions say it."""
    return next((f"{item.reason}: {item.message}" for item in world.resource.status.conditions), "")


def decide_training(world: TrainingWorld) -> Plan:
    """The plan for one TrainingJob."""
    resource = world.resource
    if resource.meta.deleting:
        return Plan()  # the Job goes with its owner
    if resource.status.ended:
        return _ended(world)
    ref = ObjectRef("Job", job_name(world))
    child = world.children.get(ref)
    if child is not None and not child.ours:
        return _conflict(world, ref)
    if world.job is None:
        return _without_job(world)
    if world.job.failed:
        return _trainer_failure(world)
    return _ended_well(world) if world.job.complete else _watch(world)


def _ended_well(world: TrainingWorld) -> Plan:
    """The trainer did its work; what becomes of it is written down before the registry is asked."""
    match world.resource.status.phase:
        case TrainingPhase.REGISTERING:
            return register(world)
        case TrainingPhase.GATING:
            return pass_gate(world)
    started = world.job.started if world.job else None
    text = "the trainer has ended well; looking at what it logged"
    status = make_status(world, TrainingPhase.GATING, Reason.GATING, text, exit_code=0, start_time=started)
    return make_plan(world, status)


def _without_job(world: TrainingWorld) -> Plan:
    """No Job yet, or no more."""
    spec, status = world.resource.spec, world.resource.status
    if status.phase in (TrainingPhase.GATING, TrainingPhase.REGISTERING):
        return _ended_well(world)  # as the status says; it was deleted since
    if status.phase is TrainingPhase.RUNNING:
        return fail(world, Finding(Reason.JOB_DELETED, f"Job {job_name(world)} was deleted while it ran", final=True))
    finding = refused_by_settings(spec, spec.container, spec.container.image, world.allowed) or refused_by_tenancy(
        "spec.register.model", spec.register_.model, world.resource.meta.namespace, world.allowed
    )
    if finding is None and world.refused:
        finding = Finding(Reason.REJECTED, world.refused, final=True)
    if finding:
        status = make_status(world, TrainingPhase.PENDING, finding.reason, finding.message)
        return make_plan(world, status, wait=CONFLICT_POLL_SECONDS)
    return _start(world)
