"""What one look at the world changes in the roles: a list of steps, each from pointers to pointers."""

from dataclasses import replace

from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import Outcome
from fairlead.core.findings import Finding
from fairlead.core.rollout.live import Rollout
from fairlead.core.serving.pointers import Pointers, current_pointers, examine
from fairlead.core.serving.probation import judged_alone, put_on
from fairlead.core.serving.replicas import full_count, goes_in_steps, has_ready
from fairlead.core.serving.requests import hear
from fairlead.core.serving.retirement import may_retire
from fairlead.core.serving.rollouts import End, begun, failed_to_run, given_up, judged, stopped_by
from fairlead.core.serving.target import Target, new_slot
from fairlead.core.serving.telling import with_told
from fairlead.core.world import ServingWorld


def _aim(world: ServingWorld, pointers: Pointers, target: Target | Finding) -> Pointers:
    """The candidate follows the spec. In a guard nothing new is begun, but the spec may go back to the one before."""
    if isinstance(target, Finding):
        return pointers
    rollout = pointers.rollout
    if rollout and rollout.promoted:
        back = target.revision == rollout.contest.incumbent
        return _superseded(world, pointers, target) if back else pointers
    if not _is_wanted(pointers, target):
        return _superseded(world, pointers, target)
    if pointers.candidate and pointers.candidate.revision == target.revision:
        return pointers
    if world.resource.spec.paused:
        return pointers
    return replace(_superseded(world, pointers, target), candidate=new_slot(world, target))


def _is_wanted(pointers: Pointers, target: Target) -> bool:
    """Whether the target is to come up: it does not serve already, and nothing is held against it."""
    serves = pointers.stable is not None and pointers.stable.revision == target.revision
    return not (serves or pointers.banned(target.revision, target.digest) or pointers.held_back(target.revision))


def _superseded(world: ServingWorld, pointers: Pointers, target: Target) -> Pointers:
    """What was on its way gives way to what the spec asks for now. Only a rollout leaves a line in the history."""
    if pointers.rollout is None:
        return replace(pointers, candidate=None)
    text = f"revision {target.revision} was asked for instead"
    return given_up(world, pointers, End(Outcome.SUPERSEDED, Reason.SUPERSEDED, text))


def _judge(world: ServingWorld, pointers: Pointers, target: Target | Finding) -> Pointers:
    """A candidate that cannot run is quarantined, while another one serves; a ready one gets its traffic."""
    running = pointers.candidate or (pointers.stable if pointers.rollout else None)
    if running is None:
        return pointers
    finding = examine(world, running.revision)
    if finding and finding.quarantine and pointers.stable and not stopped_by_people(world, pointers.rollout):
        return failed_to_run(world, pointers, finding)
    if pointers.rollout:
        return judged(world, pointers)
    if goes_in_steps(world, pointers):
        return begun(world, pointers, target) if isinstance(target, Target) else pointers
    return _taken_at_once(world, pointers)


def stopped_by_people(world: ServingWorld, rollout: Rollout | None) -> bool:
    """Whether somebody wants a rollout to stand still."""
    held = rollout is not None and rollout.paused
    return held or world.resource.spec.paused or (rollout is not None and world.rollouts.frozen)


def _taken_at_once(world: ServingWorld, pointers: Pointers) -> Pointers:
    """Without steps a candidate becomes stable when all of its pods are ready."""
    candidate = pointers.candidate
    if candidate is None or not has_ready(world, candidate.revision, full_count(world, None)):
        return pointers
    if pointers.stable and stopped_by(world) in (Reason.PAUSED, Reason.ROLLOUTS_FROZEN):
        return pointers
    promoted = candidate.model_copy(update={"since": world.now})
    previous = pointers.stable.model_copy(update={"since": world.now}) if pointers.stable else pointers.previous
    alone = pointers.stable is None or pointers.failure is not None
    taken = replace(pointers, stable=promoted, candidate=None, previous=previous)
    return put_on(world, taken) if alone else taken


def _retire(world: ServingWorld, pointers: Pointers) -> Pointers:
    """The previous revision goes when the gateways send nothing there, and connections have had time to leave it."""
    previous, rollout = pointers.previous, pointers.rollout
    if previous is None or (pointers.stable and previous.revision == pointers.stable.revision):
        return replace(pointers, previous=None)
    if rollout and previous.revision == rollout.contest.incumbent:
        return pointers  # in its guard
    return replace(pointers, previous=None) if may_retire(world, previous) else pointers


def next_pointers(world: ServingWorld, target: Target | Finding) -> Pointers:
    """The pointers after one look at the world."""
    known = with_told(current_pointers(world), world.told, registered=world.resource.spec.model is not None)
    pointers = _aim(world, hear(world, known), target)
    return _retire(world, judged_alone(world, _judge(world, pointers, target)))
