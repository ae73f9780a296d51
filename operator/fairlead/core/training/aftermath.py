"""What is left to do for a TrainingJob that has ended: its status is latched, and nothing here changes it.

A trainer that is over its deadline is stopped, the MLflow runs say how it ended, and the Jobs go when their time is up.
"""

from datetime import timedelta

from fairlead.api.training_job import TrainingPhase
from fairlead.core.effects import CloseRun, Delete, Effect, Plan, TagRun
from fairlead.core.training.status import TAG_GATE, TAG_GATE_REASON, job_ref, last_word
from fairlead.core.world import RegistryFacts, RegistryProblem, Run, TrainingWorld

CLOSE_RETRY_SECONDS = 30.0


def is_closed(run: Run) -> bool:
    """Whether the run of a trainer that has failed says so."""
    return run.status in ("FAILED", "KILLED")


def after_the_end(world: TrainingWorld) -> Plan:
    """The next step, or when to look again."""
    failed = world.resource.status.phase is TrainingPhase.FAILED
    if failed and world.job and not (world.job.complete or world.job.failed):
        return Plan((Delete(job_ref(world), world.job.uid),))
    if failed and isinstance(world.registry, RegistryFacts) and (step := _tell_registry(world, world.registry)):
        return Plan((step,))
    plan = _clean_up(world)
    if failed and isinstance(world.registry, RegistryProblem) and world.resource.status.attempts:
        left = plan.requeue_after_seconds
        return Plan(plan.effects, min(CLOSE_RETRY_SECONDS, left or CLOSE_RETRY_SECONDS))
    return plan


def _tell_registry(world: TrainingWorld, facts: RegistryFacts) -> Effect | None:
    """The runs of a failure say so too."""
    status = world.resource.status
    runs = [*facts.former_runs, *([facts.run] if facts.run else [])]
    below_gate = status.gate is not None and not status.gate.passed
    if below_gate and facts.run:  # this trainer has done its work, and the tag says that it was not enough
        runs.remove(facts.run)
        if facts.run.gate != "failed":
            return TagRun(facts.run.run_id, {TAG_GATE: "failed", TAG_GATE_REASON: last_word(status)})
        if facts.run.status != "FINISHED":
            return CloseRun(facts.run.run_id, "FINISHED")
    return next((CloseRun(run.run_id, "FAILED") for run in runs if not is_closed(run)), None)


def _clean_up(world: TrainingWorld) -> Plan:
    """The Jobs go when their time is up; the TrainingJob stays, or whoever keeps it in Git would train again."""
    jobs = [(ref, child) for ref, child in world.children.items() if child.ours and ref.kind == "Job"]
    if not jobs:
        return Plan()
    life = timedelta(seconds=world.resource.spec.policy.ttl_seconds_after_finished)
    left = ((world.resource.status.completion_time or world.now) + life - world.now).total_seconds()
    return Plan((), left) if left > 0 else Plan(tuple(Delete(ref, child.uid) for ref, child in jobs))
