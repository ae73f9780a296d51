"""The status of a ModelDeployment: a projection of one look at the world."""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
from fairlead.core.serving_children import selected_revision
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
    began = candidate.since if pending else _began(world, candidate)
    if limit is None or world.now - began < limit:
        return None
    reason = Reason.PENDING_DEADLINE_EXCEEDED if pending else Reason.PROGRESS_DEADLINE_EXCEEDED
    seen = f"; {finding.reason}: {finding.message}" if finding else ""
    return Finding(
        reason, f"revision {candidate.revision} is not ready after rollout.{name} ({text}){seen}", final=True
    )


def _began(world: ServingWorld, candidate: RevisionStatus) -> datetime:
    """Since when a revision could make progress: its newest pod has had a node. Until then it is pending."""
    found = (pod.scheduled for pod in world.pods if pod.revision == candidate.revision and pod.scheduled)
    return max(candidate.since, *found, candidate.since)


def next_deadline(world: ServingWorld, pointers: Pointers) -> timedelta | None:
    """How long until a deadline of the candidate passes; None when there is none to wait for."""
    if pointers.candidate is None:
        return None
    rollout = world.resource.spec.rollout
    began = _began(world, pointers.candidate)
    limits = [(rollout.pending_deadline, pointers.candidate.since), (rollout.progress_deadline, began)]
    waits = [limit - (world.now - since) for text, since in limits if (limit := parse_limit(text)) is not None]
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


def service_behind(look: Look) -> Headline | None:
    """The pointer has moved, and the Service has not followed yet."""
    stable = look.pointers.stable
    if stable is None or selected_revision(look.world) in (stable.revision, ""):
        return None
    text = f"revision {stable.revision} is ready; the Service is being switched to it"
    return Headline(Reason.STARTING, text, failed=False)


REVISION_CHECKS = (target_quarantined, candidate_coming, service_behind)
"""What becomes of the revision that the spec asks for."""
CHECKS = (name_taken, write_refused, target_unknown, *REVISION_CHECKS)


def headline(look: Look) -> Headline:
    """The one thing to know: what the first of the checks says."""
    return next((found for check in CHECKS if (found := check(look))), Headline(None, "", failed=False))


def _unreachable(world: ServingWorld, conflicts: list[ObjectRef]) -> bool:
    """The Service that users call is not ours, so whatever serves, they do not reach it."""
    return ObjectRef("Service", world.resource.meta.name) in conflicts


def _phase(look: Look, head: Headline) -> DeploymentPhase:
    """While one serves, only what becomes of a revision moves it: what hinders us all alike is in the conditions."""
    if _unreachable(look.world, look.conflicts):
        return DeploymentPhase.FAILED
    if look.pointers.stable is None:
        return DeploymentPhase.FAILED if head.failed else DeploymentPhase.STARTING
    coming = next((found for check in REVISION_CHECKS if (found := check(look))), None)
    if coming is None:
        return DeploymentPhase.STABLE
    return DeploymentPhase.ROLLED_BACK if coming.failed else DeploymentPhase.STARTING


def _lost(world: ServingWorld, revision: str) -> Finding | None:
    """Neither the Deployment nor the ControllerRevision that it was made from is there: nothing can rebuild it."""
    if revision in world.workloads or any(item.name == revision for item in world.revisions):
        return None
    text = f"ControllerRevision and Deployment {revision} are gone, so its pods cannot be rebuilt"
    return Finding(Reason.REVISION_LOST, text, final=True)


def _ready(world: ServingWorld, pointers: Pointers, head: Headline, conflicts: list[ObjectRef]) -> Condition:
    """Ready means: answers users."""
    stable = pointers.stable
    if _unreachable(world, conflicts):
        return condition(ConditionType.READY, False, Reason.NAME_CONFLICT, head.message)
    if stable is None:
        return condition(ConditionType.READY, False, head.reason or Reason.STARTING, head.message)
    workload = world.workloads.get(stable.revision)
    if workload and workload.ready > 0:
        return condition(ConditionType.READY, True, Reason.SERVING, f"revision {stable.revision} answers")
    finding = _lost(world, stable.revision) or examine(world, stable.revision)
    if finding:
        return condition(ConditionType.READY, False, finding.reason, finding.message)
    return condition(ConditionType.READY, False, Reason.PODS_NOT_READY, _progress(world, stable.revision))


def _activity(world: ServingWorld, pointers: Pointers, head: Headline, ready: Condition) -> Condition | None:
    """Reconciling or Stalled, or nothing when settled.

    A new revision beside one that serves is neither: RolledOut says it, and nobody who waits for the resource to be
    reconciled (`helm --wait`, kstatus) waits for a rollout.
    """
    if head.reason is not None and head.failed:
        return condition(ConditionType.STALLED, True, head.reason, head.message)
    if head.reason is not None and pointers.stable is None:
        return condition(ConditionType.RECONCILING, True, head.reason, head.message)
    if ready.status.value == "False":
        return condition(ConditionType.RECONCILING, True, Reason(ready.reason), ready.message)
    stable = pointers.stable
    workload = world.workloads.get(stable.revision) if stable else None
    if stable and workload and (not workload.current or workload.ready != world.resource.spec.replicas):
        return condition(ConditionType.RECONCILING, True, Reason.SCALING, _progress(world, stable.revision))
    return None


def _resolved(world: ServingWorld) -> Condition | None:
    """What the registry says now, even when the last answer still stands."""
    if world.resource.spec.model is None or world.model is None:
        return None
    if refused := refused_model(world):
        return condition(ConditionType.MODEL_RESOLVED, False, refused.reason, refused.message)
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
    look = Look(world, pointers, target, conflicts)
    head = headline(look)
    ready = _ready(world, pointers, head, conflicts)
    found = [ready, _rolled_out(pointers, head), _resolved(world), _activity(world, pointers, head, ready)]
    model = known_model(world)
    serving = pointers.stable or pointers.candidate
    workload = world.workloads.get(serving.revision) if serving else None
    labels = selector_labels(resource.meta, serving.revision) if serving else {}
    return ModelDeploymentStatus(
        observed_generation=resource.meta.generation,
        phase=_phase(look, head),
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
