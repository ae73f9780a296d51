"""Decides about a TrainingJob: open the MLflow run, start the Job, judge and register what it logged, or say why not.

    no run ──> run open ──> Job ──> complete ──> one logged model ──> gate ──> version ──> alias ──> Succeeded
      ^                      ├── failed, deleted ──> pause ──> next attempt, up to the last one ───┐
      └──────────────────────┼─────────────────────────┘                                           v
                             └── no model, below the gate, over a deadline ──────────────────────> Failed

Each arrow is one write, found again by the TrainingJob's UID and the number of the attempt: a crash after any of them
is taken up where it was. Succeeded and Failed are latched in the status; nothing that happens to the Job or the
registry later changes them.
"""

from dataclasses import replace
from datetime import datetime

from fairlead.api.reasons import Reason
from fairlead.api.training_job import RunStatus, TrainingPhase
from fairlead.core.compare import stamped
from fairlead.core.effects import Apply, CloseRun, OpenRun, Plan, Suspend
from fairlead.core.findings import Finding
from fairlead.core.refusals import refused_by_settings, refused_by_tenancy
from fairlead.core.training.aftermath import after_the_end, is_closed
from fairlead.core.training.attempts import Ending, attempt_of, has_run, not_before, running_pods, with_attempt
from fairlead.core.training.deadlines import overdue, seconds_left
from fairlead.core.training.gating import pass_gate
from fairlead.core.training.registering import register
from fairlead.core.training.status import (
    fail,
    job_name,
    job_ref,
    lineage_tags,
    make_plan,
    make_status,
    registry_waits,
)
from fairlead.core.training.trainer import attempt_failed, trainer_failed, watch_trainer
from fairlead.core.world import RegistryFacts, RegistryProblem, TrainingWorld
from fairlead.render.training import render_job

CONFLICT_POLL_SECONDS = 10.0


def decide_training(world: TrainingWorld) -> Plan:
    """The plan for one TrainingJob."""
    resource, job = world.resource, world.job
    if resource.meta.deleting:
        return Plan()  # the Job goes with its owner
    if resource.status.ended:
        return after_the_end(world)
    if resource.status.phase in (TrainingPhase.GATING, TrainingPhase.REGISTERING) or (job and job.complete):
        return _ended_well(world)
    if job and job.failed:
        return trainer_failed(world)
    if job is None and has_run(world):
        text = f"Job {job_name(world)} was deleted after its trainer had run"
        return attempt_failed(world, Finding(Reason.JOB_DELETED, text, final=True))
    return _suspended(world) if resource.spec.suspend else _in_time(world)


def _ended_well(world: TrainingWorld) -> Plan:
    """The trainer did its work; what becomes of it is written down before the registry is asked."""
    match world.resource.status.phase:
        case TrainingPhase.REGISTERING:
            return register(world)
        case TrainingPhase.GATING:
            return pass_gate(world)
    text = "the trainer has ended well; looking at what it logged"
    end = Ending(Reason.TRAINER_SUCCEEDED, (world.job.finished if world.job else None) or world.now, exit_code=0)
    status = make_status(world, TrainingPhase.GATING, Reason.GATING, text, end=end, exit_code=0, message="")
    return make_plan(world, status)


def _suspended(world: TrainingWorld) -> Plan:
    """No Job is made, and one that is there lets its pod go."""
    text = "spec.suspend is set; " + ("the trainer is being stopped" if running_pods(world) else "no trainer runs")
    status = make_status(world, TrainingPhase.SUSPENDED, Reason.SUSPENDED, text)
    if world.job and not world.job.suspended:
        # The status first: it tells a Job that we have suspended from one that somebody else has.
        return make_plan(world, status, Suspend(job_ref(world), world.job.uid, on=True))
    return make_plan(world, status)


def _in_time(world: TrainingWorld) -> Plan:
    """On its way, and looked at again when a deadline is due."""
    if late := overdue(world):
        return fail(world, late, end=Ending(late.reason, world.now))
    if world.job and world.job.suspended and world.resource.status.phase is TrainingPhase.SUSPENDED:
        # The status first: the Job tells no more since when it was suspended, once it is not.
        status = make_status(world, TrainingPhase.SUSPENDED, Reason.SUSPENDED, "the trainer goes on")
        return make_plan(world, status, Suspend(job_ref(world), world.job.uid, on=False))
    plan = watch_trainer(world) if world.job else _without_job(world)
    times = [item for item in (plan.requeue_after_seconds, seconds_left(world)) if item is not None]
    return replace(plan, requeue_after_seconds=min(times, default=None))


def _without_job(world: TrainingWorld) -> Plan:
    """No Job yet."""
    finding = _in_the_way(world)
    if finding is None:
        return _start(world)
    status = make_status(world, TrainingPhase.PENDING, finding.reason, finding.message)
    return make_plan(world, status, wait=CONFLICT_POLL_SECONDS)


def _in_the_way(world: TrainingWorld) -> Finding | None:
    """What keeps a Job from being made until someone acts."""
    spec, ref = world.resource.spec, job_ref(world)
    if ref in world.children:
        text = f"{ref.kind} {ref.name} exists and is not controlled by this TrainingJob; it is left alone"
        return Finding(Reason.NAME_CONFLICT, text, final=True)
    refused = refused_by_settings(spec, spec.container, spec.container.image, world.allowed) or refused_by_tenancy(
        "spec.register.model", spec.register_.model, world.resource.meta.namespace, world.allowed
    )
    if refused is None and world.refused:
        return Finding(Reason.REJECTED, world.refused, final=True)
    return refused


def _start(world: TrainingWorld) -> Plan:
    """Close the run of the former attempt, pause, open a run, then start the Job."""
    registry, due = world.registry, not_before(world.resource.status)
    former = registry.former_runs if isinstance(registry, RegistryFacts) else ()
    still_open = [run for run in former if not is_closed(run)]
    if still_open:
        return Plan((CloseRun(still_open[0].run_id, "FAILED"),))
    if due and world.now < due:
        return _pause(world, due)
    if isinstance(registry, RegistryProblem):
        return registry_waits(world, registry, TrainingPhase.PENDING)
    return _start_with(world, registry)


def _pause(world: TrainingWorld, due: datetime) -> Plan:
    """Until the next attempt may start; the status says so already, unless something came between."""
    wait = (due - world.now).total_seconds()
    if world.resource.status.phase is TrainingPhase.PENDING:
        return Plan((), wait)
    text = f"attempt {world.resource.status.current_attempt} starts at {due:%H:%M:%S} UTC"
    return make_plan(world, make_status(world, TrainingPhase.PENDING, Reason.RETRYING, text), wait=wait)


def _start_with(world: TrainingWorld, facts: RegistryFacts) -> Plan:
    spec, meta, old, run = world.resource.spec, world.resource.meta, world.resource.status, facts.run
    if run is None:
        opening = OpenRun(f"{meta.namespace}/{meta.name}", lineage_tags(world))
        if old.phase is TrainingPhase.PENDING:
            return Plan((opening,))  # a status that says "opening" would take turns with the reason why it fails
        status = make_status(world, TrainingPhase.PENDING, Reason.PENDING, "opening the MLflow run")
        return make_plan(world, status, opening)
    known = RunStatus(id=run.run_id, experiment_id=run.experiment_id, url=run.url)
    job = render_job(meta, spec, run=known, attempt=old.current_attempt, defaults=world.defaults)
    made = Apply(stamped(job), absent=True)
    if old.run == known:
        # The Job first: a status that says "starting" would take turns with the reason why the Job is refused.
        return Plan((made,))
    record = attempt_of(old, old.current_attempt).model_copy(update={"run_id": run.run_id})
    attempts = with_attempt(old.attempts, record)
    text = f"starting Job {job_name(world)}"
    status = make_status(world, TrainingPhase.PENDING, Reason.PENDING, text, run=known, attempts=attempts)
    return make_plan(world, status, made)
