"""Decides about a ModelDeployment: which revision serves, which children exist, what the status says.

    world ──> target (what the spec asks for) ──> pointers (who has which role) ──> children, status, deletions

The first effect of the plan is performed, then the world is gathered again. Pointers are written before the children
that they ask for, and children are deleted after the pointers have let go of them, so that a crash between any two
writes leaves a state from which the next look goes on.
"""

from fairlead.api.model_deployment import ModelDeploymentStatus
from fairlead.core.announce import announce, announce_rollout
from fairlead.core.children import applies, conflicts
from fairlead.core.effects import Announcement, Effect, Plan, Remembered, WriteStatus
from fairlead.core.findings import SECOND_PULL_AFTER
from fairlead.core.serving.children import deletions, wanted_children
from fairlead.core.serving.headline import next_deadline
from fairlead.core.serving.pointers import Pointers, current_pointers
from fairlead.core.serving.retirement import REPORT_SECONDS, gateways_remember, retirement_seconds
from fairlead.core.serving.roles import next_pointers
from fairlead.core.serving.status import project_status
from fairlead.core.serving.target import find_target
from fairlead.core.world import ServingWorld, Unanswered

CONFLICT_POLL_SECONDS = 10.0
_SLACK_SECONDS = 0.5


LOOK_SECONDS = 3.0
"""Between two looks at a rollout when no gateway says anything. Each answer brings one of its own, every second: a look
just before it would close a window of the evidence too early."""
QUIET_SECONDS = 10.0
"""Between two looks at a probation that has settled and raises no suspicion. The gateways are asked as often anyway."""


def _moved(old: Pointers, new: Pointers) -> bool:
    """Whether another revision has a role, or a rollout has begun, moved a share or ended."""

    def names(pointers: Pointers) -> tuple[str, ...]:
        slots = (pointers.stable, pointers.candidate, pointers.previous)
        return tuple(slot.revision if slot else "" for slot in slots)

    def share(pointers: Pointers) -> object:
        rollout = pointers.rollout
        return rollout and (rollout.name, rollout.state.stage, rollout.state.weight_percent)

    return names(old) != names(new) or old.quarantine != new.quarantine or share(old) != share(new)


def _requeue(world: ServingWorld, pointers: Pointers, *, conflict: bool, held: bool) -> float | None:
    """The next moment at which time alone changes the decision. `held`: a gateway holds something that is to go."""
    waits: list[float] = []
    if pointers.rollout:
        return LOOK_SECONDS
    if trial := pointers.trial:
        waits.append(LOOK_SECONDS if trial.urgent else QUIET_SECONDS)
    if pointers.previous:
        waits.append(retirement_seconds(world, pointers.previous))
    if held:
        waits.append(REPORT_SECONDS)
    if deadline := next_deadline(world, pointers):
        waits.append(deadline.total_seconds())
    if pointers.candidate:
        age = (world.now - pointers.candidate.since).total_seconds()
        waits.append(max(2.0, SECOND_PULL_AFTER.total_seconds() - age))
    if conflict or world.refused or world.port is None:
        waits.append(CONFLICT_POLL_SECONDS)
    return max(0.0, min(waits)) + _SLACK_SECONDS if waits else None


def _news(old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> tuple[Announcement, ...]:
    """The events: what a rollout did, and what the conditions add to it."""
    decided = announce_rollout(old, new)
    said = {item.reason for item in decided}
    return (*decided, *(item for item in announce(old.conditions, new.conditions) if item.reason not in said))


def decide_serving(world: ServingWorld) -> Plan:
    """The plan for one ModelDeployment."""
    resource = world.resource
    if resource.meta.deleting:
        return Plan()  # the children go with their owner
    target = find_target(world)
    if isinstance(target, Unanswered):
        return Plan()  # the answer brings the key back
    if resource.has_status and not world.gateway.known:
        return Plan()  # so does the first look at the gateway: until then the conditions stay as they are
    old = current_pointers(world)
    pointers = next_pointers(world, target)
    wanted = list(wanted_children(world, pointers, target))
    clashes = conflicts(world.children, wanted)
    status = project_status(world, pointers, target, clashes)
    before = resource.stored_status
    writes: list[Effect] = []
    if status.wire() != before:
        told = _news(resource.status, status)
        writes.append(WriteStatus(before, status.wire(), told, record=pointers.record))
    children: list[Effect] = [] if world.refused else list(applies(world.children, wanted))
    pointers_first = not before or _moved(old, pointers)
    first, second = (writes, children) if pointers_first else (children, writes)
    gone = tuple(deletions(world, pointers, wanted))
    held = bool(gone) and gateways_remember(world)
    effects = (*first, *second, *(() if held else gone))
    watched = pointers.rollout or pointers.trial
    known = Remembered(watched.name, watched.state) if watched else None
    return Plan(effects, _requeue(world, pointers, conflict=bool(clashes), held=held), known)
