"""The status of a ModelDeployment: a projection of one look at the world."""

from dataclasses import dataclass
from datetime import timedelta

from fairlead.api.conditions import Condition, ConditionType, condition, merge_conditions
from fairlead.api.model_deployment import (
    UNVERIFIED,
    Arm,
    DeploymentPhase,
    ModelDeploymentStatus,
    Policy,
    RevisionStatus,
    Traffic,
)
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.scalars import parse_limit
from fairlead.core.effects import ObjectRef
from fairlead.core.findings import Finding
from fairlead.core.pointers import Pointers, Target, examine, known_model, refused_model
from fairlead.core.world import RegistryProblem, ServingWorld, Unanswered
from fairlead.render.serving import selector_labels

_IMAGE_IDS_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Headline:
    """Why what the spec asks for does not serve yet; None as `reason` means that it does."""

    reason: Reason | None
    message: str
    failed: bool


def _deadline(world: ServingWorld, candidate: RevisionStatus, finding: Finding | None) -> Finding | None:
    """The deadline that has passed: for room in the cluster while there is none, else for being ready."""
    rollout = world.resource.spec.rollout
    pending = finding is not None and finding.pending
    name = "pendingDeadline" if pending else "progressDeadline"
    text = rollout.pending_deadline if pending else rollout.progress_deadline
    limit = parse_limit(text)
    if limit is None or world.now - candidate.since < limit:
        return None
    reason = Reason.PENDING_DEADLINE_EXCEEDED if pending else Reason.PROGRESS_DEADLINE_EXCEEDED
    seen = f"; {finding.reason}: {finding.message}" if finding else ""
    return Finding(
        reason, f"revision {candidate.revision} is not ready after rollout.{name} ({text}){seen}", final=True
    )


def next_deadline(world: ServingWorld, pointers: Pointers) -> timedelta | None:
    """How long until a deadline of the candidate passes; None when there is none to wait for."""
    if pointers.candidate is None:
        return None
    rollout = world.resource.spec.rollout
    limits = [parse_limit(rollout.pending_deadline), parse_limit(rollout.progress_deadline)]
    waits = [limit - (world.now - pointers.candidate.since) for limit in limits if limit is not None]
    return min((wait for wait in waits if wait > timedelta(0)), default=None)


def _progress(world: ServingWorld, revision: str) -> str:
    workload = world.workloads.get(revision)
    return f"revision {revision}: {workload.ready if workload else 0} of {world.resource.spec.replicas} pods ready"


@dataclass(frozen=True, slots=True)
class Look:
    """What the headline is found in."""

    world: ServingWorld
    pointers: Pointers
    target: Target | Finding
    conflicts: list[ObjectRef]


def name_taken(look: Look) -> Headline | None:
    """An object that is not ours has a name that we need."""
    if not look.conflicts:
        return None
    ref = look.conflicts[0]
    text = f"{ref.kind} {ref.name} exists and is not controlled by this ModelDeployment; it is left alone"
    return Headline(Reason.NAME_CONFLICT, text, failed=True)


def write_refused(look: Look) -> Headline | None:
    """The API server refuses a child of ours."""
    return Headline(Reason.REJECTED, look.world.refused, failed=True) if look.world.refused else None


def target_unknown(look: Look) -> Headline | None:
    """The settings refuse the spec, or the registry does not know the model."""
    if isinstance(look.target, Finding):
        return Headline(look.target.reason, look.target.message, failed=EXPLAINED[look.target.reason].stalls)
    return None


def target_quarantined(look: Look) -> Headline | None:
    """The spec asks for a revision that has already failed."""
    if isinstance(look.target, Finding) or look.pointers.candidate:
        return None
    wanted, stable = look.target.revision, look.pointers.stable
    banned = next((item for item in look.pointers.quarantine if item.revision == wanted), None)
    if banned is None or (stable and stable.revision == wanted):
        return None
    return Headline(Reason(banned.reason), f"revision {wanted} is quarantined: {banned.message}", failed=True)


def candidate_coming(look: Look) -> Headline | None:
    """The candidate has failed, is late, or is on its way."""
    candidate = look.pointers.candidate
    if candidate is None:
        return None
    finding = examine(look.world, candidate.revision)
    if finding is None or not finding.final:
        finding = _deadline(look.world, candidate, finding) or finding
    if finding is None:
        return Headline(Reason.STARTING, _progress(look.world, candidate.revision), failed=False)
    return Headline(finding.reason, finding.message, failed=finding.final)


CHECKS = (name_taken, write_refused, target_unknown, target_quarantined, candidate_coming)


def headline(look: Look) -> Headline:
    """The one thing to know: what the first of the checks says."""
    return next((found for check in CHECKS if (found := check(look))), Headline(None, "", failed=False))


def _phase(pointers: Pointers, head: Headline) -> DeploymentPhase:
    if head.reason is None:
        return DeploymentPhase.STABLE
    if not head.failed:
        return DeploymentPhase.STARTING
    return DeploymentPhase.ROLLED_BACK if pointers.stable else DeploymentPhase.FAILED


def _ready(world: ServingWorld, pointers: Pointers, head: Headline, conflicts: list[ObjectRef]) -> Condition:
    """Ready means: answers users."""
    stable = pointers.stable
    if ObjectRef("Service", world.resource.meta.name) in conflicts:
        return condition(ConditionType.READY, False, Reason.NAME_CONFLICT, head.message)
    if stable is None:
        return condition(ConditionType.READY, False, head.reason or Reason.STARTING, head.message)
    workload = world.workloads.get(stable.revision)
    if workload and workload.ready > 0:
        return condition(ConditionType.READY, True, Reason.SERVING, f"revision {stable.revision} answers")
    finding = examine(world, stable.revision)
    if finding:
        return condition(ConditionType.READY, False, finding.reason, finding.message)
    return condition(ConditionType.READY, False, Reason.PODS_NOT_READY, _progress(world, stable.revision))


def _activity(world: ServingWorld, pointers: Pointers, head: Headline, ready: Condition) -> Condition | None:
    """Reconciling or Stalled, or nothing when settled."""
    if head.reason is not None:
        kind = ConditionType.STALLED if head.failed else ConditionType.RECONCILING
        return condition(kind, True, head.reason, head.message)
    if ready.status.value == "False":
        return condition(ConditionType.RECONCILING, True, Reason(ready.reason), ready.message)
    stable = pointers.stable
    workload = world.workloads.get(stable.revision) if stable else None
    if stable and workload and (not workload.current or workload.ready != world.resource.spec.replicas):
        return condition(ConditionType.RECONCILING, True, Reason.SCALING, _progress(world, stable.revision))
    return None


def _resolved(world: ServingWorld) -> Condition | None:
    """What the registry says now, even when the last answer still stands."""
    if world.resource.spec.model is None:
        return None
    if refused := refused_model(world):
        return condition(ConditionType.MODEL_RESOLVED, False, refused.reason, refused.message)
    if world.model is None:
        return None
    if isinstance(world.model, Unanswered):
        told = world.resource.status.conditions
        return next((item for item in told if item.type == ConditionType.MODEL_RESOLVED), None)
    if isinstance(world.model, RegistryProblem):
        return condition(ConditionType.MODEL_RESOLVED, False, world.model.reason, world.model.message)
    promise = "no digest is promised for its files" if world.model.digest == UNVERIFIED else world.model.digest
    text = f"{world.model.name} version {world.model.version}: {promise}"
    return condition(ConditionType.MODEL_RESOLVED, True, Reason.MODEL_RESOLVED, text)


def _rolled_out(pointers: Pointers, head: Headline) -> Condition:
    if head.reason is None and pointers.stable:
        text = f"revision {pointers.stable.revision} serves"
        return condition(ConditionType.ROLLED_OUT, True, Reason.ROLLED_OUT, text)
    return condition(ConditionType.ROLLED_OUT, False, head.reason or Reason.STARTING, head.message)


def _seen(world: ServingWorld, slot: RevisionStatus | None) -> RevisionStatus | None:
    """The slot with what its pods show now."""
    if slot is None:
        return None
    workload = world.workloads.get(slot.revision)
    pods = [pod for pod in world.pods if pod.revision == slot.revision]
    images = {item.image_id for pod in pods for item in pod.containers if item.image_id}
    ids = tuple(dict.fromkeys((*slot.image_ids, *sorted(images))))[-_IMAGE_IDS_LIMIT:]
    return slot.model_copy(update={"ready": workload.ready if workload else 0, "image_ids": ids})


def _traffic(world: ServingWorld, pointers: Pointers, head: Headline) -> Traffic:
    old = world.resource.status.traffic or Traffic()
    arms = (Arm(revision=pointers.stable.revision, weight=100),) if pointers.stable else ()
    why = "" if arms else str(head.reason or Reason.STARTING)
    generation = old.generation if arms == old.arms else old.generation + 1
    # The epoch is stamped when something else is written, or while a candidate is coming up: a new leader that finds
    # the world settled writes nothing.
    epoch = world.epoch if pointers.candidate or generation != old.generation else old.epoch
    return Traffic(epoch=max(epoch, old.epoch), generation=generation, arms=arms, unavailable_reason=why)


def project_status(
    world: ServingWorld, pointers: Pointers, target: Target | Finding, conflicts: list[ObjectRef]
) -> ModelDeploymentStatus:
    """The whole status."""
    resource = world.resource
    head = headline(Look(world, pointers, target, conflicts))
    ready = _ready(world, pointers, head, conflicts)
    found = [ready, _rolled_out(pointers, head), _resolved(world), _activity(world, pointers, head, ready)]
    model = known_model(world)
    serving = pointers.stable or pointers.candidate
    workload = world.workloads.get(serving.revision) if serving else None
    labels = selector_labels(resource.meta, serving.revision) if serving else {}
    return ModelDeploymentStatus(
        observed_generation=resource.meta.generation,
        phase=_phase(pointers, head),
        conditions=merge_conditions(
            resource.status.conditions,
            [item for item in found if item],
            generation=resource.meta.generation,
            now=world.now,
        ),
        policy=Policy(
            pending_deadline=resource.spec.rollout.pending_deadline,
            progress_deadline=resource.spec.rollout.progress_deadline,
            revision_history_limit=resource.spec.revision_history_limit,
        ),
        model=None if isinstance(model, RegistryProblem | Unanswered) else model,
        stable=_seen(world, pointers.stable),
        candidate=_seen(world, pointers.candidate),
        previous=_seen(world, pointers.previous),
        traffic=_traffic(world, pointers, head),
        quarantine=pointers.quarantine,
        selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        replicas=workload.replicas if workload else 0,
    )
