"""Decides about a ModelDeployment: which revision serves, which children exist, what the status says.

    world ──> target (what the spec asks for) ──> pointers (who has which role) ──> children, status, deletions

The first effect of the plan is performed, then the world is gathered again. Pointers are written before the children
that they ask for, and children are deleted after the pointers have let go of them, so that a crash between any two
writes leaves a state from which the next look goes on.
"""

from fairlead.core.announce import announce
from fairlead.core.effects import Effect, Plan, WriteStatus
from fairlead.core.findings import SECOND_PULL_AFTER
from fairlead.core.pointers import Pointers, current_pointers, find_target, next_pointers
from fairlead.core.serving_children import applies, conflicts, deletions, wanted_children
from fairlead.core.serving_status import next_deadline, project_status
from fairlead.core.world import ServingWorld, Unanswered

CONFLICT_POLL_SECONDS = 10.0
_SLACK_SECONDS = 0.5


def _moved(old: Pointers, new: Pointers) -> bool:
    """Whether another revision has a role."""

    def names(pointers: Pointers) -> tuple[str, ...]:
        slots = (pointers.stable, pointers.candidate, pointers.previous)
        return tuple(slot.revision if slot else "" for slot in slots)

    return names(old) != names(new) or old.quarantine != new.quarantine


def _requeue(world: ServingWorld, pointers: Pointers, *, conflict: bool) -> float | None:
    """The next moment at which time alone changes the decision."""
    waits: list[float] = []
    if pointers.previous:
        waits.append(world.retirement_grace_seconds - (world.now - pointers.previous.since).total_seconds())
    if deadline := next_deadline(world, pointers):
        waits.append(deadline.total_seconds())
    if pointers.candidate:
        age = (world.now - pointers.candidate.since).total_seconds()
        waits.append(max(2.0, SECOND_PULL_AFTER.total_seconds() - age))
    if conflict or world.refused:
        waits.append(CONFLICT_POLL_SECONDS)
    return max(0.0, min(waits)) + _SLACK_SECONDS if waits else None


def decide_serving(world: ServingWorld) -> Plan:
    """The plan for one ModelDeployment."""
    resource = world.resource
    if resource.meta.deleting:
        return Plan()  # the children go with their owner
    target = find_target(world)
    if isinstance(target, Unanswered):
        return Plan()  # the answer brings the key back
    old = current_pointers(world)
    pointers = next_pointers(world, target)
    wanted = list(wanted_children(world, pointers, target))
    clashes = conflicts(world, wanted)
    status = project_status(world, pointers, target, clashes)
    before = resource.stored_status
    writes: list[Effect] = []
    if status.wire() != before:
        told = announce(resource.status.conditions, status.conditions)
        writes.append(WriteStatus(before=before, after=status.wire(), announcements=told))
    children: list[Effect] = [] if world.refused else list(applies(world, wanted))
    pointers_first = not before or _moved(old, pointers)
    first, second = (writes, children) if pointers_first else (children, writes)
    effects = (*first, *second, *deletions(world, pointers, wanted))
    return Plan(effects, _requeue(world, pointers, conflict=bool(clashes)))
