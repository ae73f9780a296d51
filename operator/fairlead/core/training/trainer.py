"""Reads the pods of an attempt: what they wait for, that they run, why they failed, and what follows from it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from fairlead.api.observed import ObservedContainer, ObservedPod
from fairlead.api.reasons import Reason
from fairlead.api.training_job import TrainingPhase
from fairlead.core.effects import Plan
from fairlead.core.findings import Finding, Symptoms, describe_exit, describe_limit, inspect, refusal_finding
from fairlead.core.training.attempts import Ending, backoff_seconds, running_pods
from fairlead.core.training.status import fail, job_name, make_plan, make_status
from fairlead.core.world import TrainingWorld

PENDING_POLL_SECONDS = 2.0
SIGKILLED = 128 + 9
_ENDED = ("Succeeded", "Failed")
HANDOVER = timedelta(seconds=10)
"""How long the Job controller gets, after a pod has ended, to end the Job or to make another pod."""


def watch_trainer(world: TrainingWorld) -> Plan:
    """The Job is there and has not ended."""
    old = world.resource.status
    alive = tuple(pod for pod in world.pods if pod.phase not in _ENDED)
    finding = inspect(Symptoms(None, alive, builtin_server=False, now=world.now))
    if finding and finding.reason in (Reason.CONTAINER_CRASHED, Reason.OUT_OF_MEMORY):
        finding = None  # the Job controller is about to say that it failed
    if finding is None and world.job_warning and not world.pods:
        finding = refusal_finding(world.job_warning)
    if finding:
        status = make_status(world, TrainingPhase.PENDING, finding.reason, finding.message)
    elif running_pods(world):
        status = make_status(world, TrainingPhase.RUNNING, Reason.TRAINING, "the trainer runs")
    elif old.phase is TrainingPhase.RUNNING and _just_ended(world):
        return Plan((), PENDING_POLL_SECONDS)
    else:
        held = world.job is not None and world.job.suspended
        by_others = f"Job {job_name(world)} is suspended, and not by this TrainingJob"
        text = by_others if held else "the trainer's pod is starting"
        status = make_status(world, TrainingPhase.PENDING, Reason.PENDING, text)
    return make_plan(world, status, wait=None if running_pods(world) else PENDING_POLL_SECONDS)


def _just_ended(world: TrainingWorld) -> bool:
    """Whether all pods have ended, the last one a moment ago."""
    ends = [item.finished for pod in world.pods for item in pod.containers if item.finished]
    ended = all(pod.phase in _ENDED for pod in world.pods)
    return ended and bool(ends) and world.now - max(ends) < HANDOVER


def trainer_failed(world: TrainingWorld) -> Plan:
    """The Job failed: exit code, last lines, and whether memory was the reason."""
    # The newest pod: an older one was taken away by the cluster, and its exit says nothing about the trainer.
    pods = sorted(world.pods, key=lambda pod: pod.created or world.now)
    exits = [(pod, item) for pod in pods for item in pod.containers if item.exit_code not in (None, 0)]
    if not exits:
        text = world.job.failure if world.job else ""
        seen = next((pod.message for pod in world.pods if pod.message), "")
        return attempt_failed(world, Finding(Reason.TRAINER_FAILED, f"{text} {seen}".strip(), final=True))
    pod, last = exits[-1]
    memory = _memory_said(pod, last)
    reason = Reason.OUT_OF_MEMORY if memory else Reason.TRAINER_FAILED
    finding = Finding(reason, describe_exit(last) + (f"; {memory}" if memory else ""), final=True)
    return attempt_failed(world, finding, exit_code=last.exit_code, message=last.exit_message)


def _memory_said(pod: ObservedPod, container: ObservedContainer) -> str:
    """That memory was the cause, as far as it is known; empty when it was not.

    A container runtime may lose the kernel's word that it was: what is left of it is a SIGKILL that nobody asked for.
    """
    if container.exit_reason == "OOMKilled":
        return describe_limit(container)
    if container.exit_code == SIGKILLED and container.memory_limit and not pod.deleting:
        return f"it was killed, most likely at its memory limit of {container.memory_limit}: no other cause is known"
    return ""


def attempt_failed(world: TrainingWorld, finding: Finding, **changes: Any) -> Plan:
    """The next attempt after a pause, if there is one left; else the failure is final."""
    most, number = world.resource.spec.policy.max_attempts, world.resource.status.current_attempt
    at = (world.job.finished if world.job else None) or world.now
    end = Ending(finding.reason, at, changes.get("exit_code"))
    seen = {"exit_code": None, "message": "", **changes}
    if number >= most:
        which = f"attempt {number} of {most}: " if most > 1 else ""
        return fail(world, replace(finding, message=which + finding.message), end=end, **seen)
    due = at + timedelta(seconds=backoff_seconds(number))
    text = f"attempt {number} of {most} has failed; the next one starts at {due:%H:%M:%S} UTC; {finding.reason}: "
    status = make_status(
        world,
        TrainingPhase.PENDING,
        Reason.RETRYING,
        text + finding.message,
        end=end,
        attempt=number + 1,
        run=None,
        pending_since=due,
        **seen,
    )
    return make_plan(world, status)
