"""The attempts of a TrainingJob in its status: when each ran, how it ended, when the next one may start.

Time is kept as sums and instants, so that it survives the operator, a suspension and pods that come and go.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fairlead.api.observed import ObservedContainer, ObservedPod
from fairlead.api.reasons import Reason
from fairlead.api.training_job import AttemptStatus, TrainingJobStatus, TrainingPhase
from fairlead.core.world import TrainingWorld

FIRST_BACKOFF_SECONDS = 10.0
LAST_BACKOFF_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How the present attempt ended."""

    reason: Reason
    at: datetime
    exit_code: int | None = None


def backoff_seconds(attempt: int) -> float:
    """How long to pause after the attempt of this number (from 1) has failed."""
    return float(min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1)))


def attempt_of(status: TrainingJobStatus, number: int) -> AttemptStatus:
    """The record of an attempt; an empty one when there is none yet."""
    return next((item for item in status.attempts if item.number == number), AttemptStatus(number=number))


def not_before(status: TrainingJobStatus) -> datetime | None:
    """When the present attempt may start: after the former one and a pause. None: at any time."""
    former = attempt_of(status, status.current_attempt - 1)
    return former.end_time + timedelta(seconds=backoff_seconds(former.number)) if former.end_time else None


def has_run(world: TrainingWorld) -> bool:
    """Whether a pod of the present attempt is known to have run."""
    status = world.resource.status
    return attempt_of(status, status.current_attempt).start_time is not None


def _containers(pods: Iterable[ObservedPod]) -> Iterator[ObservedContainer]:
    for pod in pods:
        yield from pod.containers


def running_pods(world: TrainingWorld) -> list[ObservedPod]:
    """The pods of the present attempt that run."""
    return [pod for pod in world.pods if pod.phase == "Running"]


def _stopped(world: TrainingWorld, since: datetime) -> datetime:
    """When the pod that ran since then stopped, as far as anything tells."""
    ends = [item.finished for item in _containers(world.pods) if item.finished and item.finished >= since]
    told = (world.job.finished or world.job.suspended_since) if world.job else None
    at = max(ends, default=None) or told or world.now
    return max(since, min(at, world.now))


def _unseen(world: TrainingWorld) -> tuple[datetime | None, timedelta]:
    """Start and length of what ran and ended before anyone looked."""
    spans = [(item.started, item.finished) for item in _containers(world.pods) if item.started and item.finished]
    return min((start for start, _ in spans), default=None), sum((end - start for start, end in spans), timedelta())


def keep_time(world: TrainingWorld, phase: TrainingPhase) -> dict[str, Any]:
    """The fields of the status that tell times, brought up to what the pods show; `phase` is the one to be written."""
    over = phase is TrainingPhase.FAILED or (world.job and (world.job.failed or world.job.complete))
    status, running = world.resource.status, [] if over else running_pods(world)
    spent, since, waits_since = timedelta(seconds=status.running_seconds), status.running_since, status.pending_since
    began = min((item.started for item in _containers(running) if item.started), default=world.now) if running else None
    if since is not None and (began is None or _is_another(world, since)):
        stopped = _stopped(world, since)
        spent, since, waits_since = spent + (stopped - since), None, stopped
    elif since is None and began is None and not has_run(world):
        began, length = _unseen(world)
        spent += length
    if status.phase is TrainingPhase.SUSPENDED:
        waits_since = None  # nothing was waited for
    waits = not running and phase in (TrainingPhase.PENDING, TrainingPhase.RUNNING)
    return {
        "running_since": (since or began) if running else None,
        "running_seconds": round(spent.total_seconds()),
        "pending_since": (waits_since or world.now) if waits else None,
        "start_time": status.start_time or began,
        "attempts": _with_start(status, began),
    }


def _is_another(world: TrainingWorld, since: datetime) -> bool:
    """Whether what runs now is not what ran since then: a pod that took the place of one that was evicted."""
    starts = [item.started for item in _containers(running_pods(world)) if item.started]
    return bool(starts) and min(starts) > since


def _with_start(status: TrainingJobStatus, began: datetime | None) -> tuple[AttemptStatus, ...]:
    record = attempt_of(status, status.current_attempt)
    if began is None or record.start_time is not None:
        return status.attempts
    return with_attempt(status.attempts, record.model_copy(update={"start_time": began}))


def with_attempt(attempts: tuple[AttemptStatus, ...], record: AttemptStatus) -> tuple[AttemptStatus, ...]:
    """The attempts with this one in place of the one of its number."""
    return (*(item for item in attempts if item.number != record.number), record)


def closed(status: TrainingJobStatus, end: Ending) -> tuple[AttemptStatus, ...]:
    """The attempts, the present one ended."""
    update = {"end_time": end.at, "reason": end.reason.value, "exit_code": end.exit_code}
    record = attempt_of(status, status.current_attempt).model_copy(update=update)
    return with_attempt(status.attempts, record)
