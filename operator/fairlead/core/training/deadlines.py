"""The limits on a TrainingJob's time: how long trainers may run, and how long a pod may be waited for."""

from datetime import timedelta

from fairlead.api.reasons import Reason
from fairlead.api.scalars import describe_duration, parse_limit
from fairlead.api.training_job import TrainingPhase
from fairlead.core.findings import Finding
from fairlead.core.training.attempts import keep_time
from fairlead.core.training.status import last_word
from fairlead.core.world import TrainingWorld


def _spent(world: TrainingWorld) -> tuple[timedelta, timedelta | None, bool]:
    """How long trainers have run, how long a pod has been waited for (None: none is), whether one runs now."""
    times = keep_time(world, TrainingPhase.PENDING)
    since, waits = times["running_since"], times["pending_since"]
    ran = timedelta(seconds=times["running_seconds"]) + (world.now - since if since else timedelta())
    return ran, world.now - waits if waits else None, since is not None


def overdue(world: TrainingWorld) -> Finding | None:
    """The deadline that is over, with how long and for what."""
    policy, status = world.resource.spec.policy, world.resource.status
    ran, waited, _ = _spent(world)
    limit = parse_limit(policy.run_deadline)
    if limit is not None and ran >= limit:
        attempts = f" in {status.current_attempt} attempts" if status.current_attempt > 1 else ""
        text = f"the trainer ran for {describe_duration(ran)}{attempts}; policy.runDeadline is {policy.run_deadline}"
        return Finding(Reason.RUN_DEADLINE_EXCEEDED, text, final=True)
    limit = parse_limit(policy.pending_deadline)
    if limit is not None and waited is not None and waited >= limit:
        why = last_word(status) or "nothing is known"
        text = f"no pod ran for {describe_duration(waited)}; policy.pendingDeadline is {policy.pending_deadline}; {why}"
        return Finding(Reason.PENDING_DEADLINE_EXCEEDED, text, final=True)
    return None


def seconds_left(world: TrainingWorld) -> float | None:
    """Until the next deadline; None when no limit is set on what goes on."""
    policy = world.resource.spec.policy
    ran, waited, runs = _spent(world)
    run_limit, pending_limit = parse_limit(policy.run_deadline), parse_limit(policy.pending_deadline)
    left = []
    if run_limit is not None and runs:
        left.append(run_limit - ran)
    if pending_limit is not None and waited is not None:
        left.append(pending_limit - waited)
    return min((item.total_seconds() for item in left), default=None)
