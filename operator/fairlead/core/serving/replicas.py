"""How many pods each revision has, and whether they are ready for a share of the traffic."""

from math import ceil

from fairlead.api.model_deployment import RevisionStatus
from fairlead.core.evidence.state import Stage
from fairlead.core.evidence.weighing import has_enough
from fairlead.core.rollout.live import Rollout
from fairlead.core.serving.pointers import Pointers
from fairlead.core.world import ServingWorld


def goes_in_steps(world: ServingWorld, pointers: Pointers) -> bool:
    """Whether a candidate has to earn its traffic: where one serves well, and the spec has a canary or a shadow."""
    serves_well = pointers.stable is not None and pointers.failure is None
    return serves_well and world.resource.spec.rollout.is_earned


def full_count(world: ServingWorld, rollout: Rollout | None) -> int:
    """Pods for all of the traffic. While a rollout is on, no fewer than when it began: an autoscaler that follows
    stable's falling share must not leave too few for a roll-back."""
    wanted = world.resource.spec.replicas
    return max(wanted, rollout.floor) if rollout else wanted


def count_for(world: ServingWorld, rollout: Rollout | None, weight_percent: float) -> int:
    """Pods that a candidate needs for a share of the traffic."""
    canary = world.resource.spec.rollout.canary
    if canary and canary.replicas is not None and weight_percent < 100:
        return canary.replicas
    return max(1, ceil(full_count(world, rollout) * weight_percent / 100))


def _weights(rollout: Rollout) -> tuple[float, float]:
    """(the step's weight, the next one's); what follows the last step needs the pods for everything."""
    steps, step = rollout.policy.steps_percent, rollout.state.step
    if rollout.policy.shadow and rollout.state.stage is Stage.SHADOW:
        return (rollout.policy.shadow.percent, steps[0] if rollout.policy.canary else 100.0)
    return (steps[step], steps[step + 1] if step + 1 < len(steps) else 100.0)


def next_count(world: ServingWorld, rollout: Rollout) -> int:
    """Pods that the candidate of a rollout needs before its next step."""
    return count_for(world, rollout, _weights(rollout)[1])


def _candidate_count(world: ServingWorld, pointers: Pointers) -> int:
    """For the share that it has, or is to get; and for the next one as soon as nothing else is missing."""
    rollout = pointers.rollout
    if rollout is None:
        if not goes_in_steps(world, pointers):
            return full_count(world, None)
        return count_for(world, None, world.resource.spec.rollout.first_percent)
    judged = rollout.state.stage in (Stage.SHADOW, Stage.CANARY)
    passed = judged and has_enough(rollout.policy, rollout.state)
    return max(count_for(world, rollout, weight) for weight in _weights(rollout)[: 2 if passed else 1])


def _previous_count(world: ServingWorld, pointers: Pointers, revision: str) -> int:
    """In the guard what `keepWarm` says; afterwards, until it is retired, what it has."""
    rollout = pointers.rollout
    full = full_count(world, rollout)
    if rollout is None or not rollout.promoted:
        workload = world.workloads.get(revision)
        return min(workload.wanted, full) if workload else full
    weighty = rollout.state.weight_percent < 100
    kept = {"full": full, "one": 1, "none": 1 if weighty else 0}
    return kept[world.resource.spec.rollout.guard.keep_warm]


def wanted_count(world: ServingWorld, pointers: Pointers, slot: RevisionStatus) -> int:
    """The replicas of a live revision's Deployment."""
    match pointers.role_of(slot.revision):
        case "candidate":
            return _candidate_count(world, pointers)
        case "previous":
            return _previous_count(world, pointers, slot.revision)
        case _:
            return full_count(world, pointers.rollout)


def has_ready(world: ServingWorld, revision: str, count: int) -> bool:
    """Whether so many pods are ready, by a Deployment whose controller has seen its latest spec."""
    workload = world.workloads.get(revision)
    return workload is not None and workload.current and workload.ready >= count
