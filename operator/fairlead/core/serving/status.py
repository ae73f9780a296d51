"""The status of a ModelDeployment: a projection of one look at the world."""

from fairlead.api.conditions import Condition, ConditionType, condition, merge_conditions
from fairlead.api.model_deployment import (
    UNVERIFIED,
    DeploymentPhase,
    ModelDeploymentStatus,
    Policy,
    RevisionStatus,
)
from fairlead.api.reasons import Reason
from fairlead.api.traffic import Traffic
from fairlead.core.effects import ObjectRef
from fairlead.core.evidence.state import Stage
from fairlead.core.findings import Finding
from fairlead.core.rollout.live import show
from fairlead.core.rollout.trial import show_trial
from fairlead.core.serving.headline import REVISION_CHECKS, Headline, Look, headline, name_taken, no_port, progress
from fairlead.core.serving.pointers import Pointers, examine
from fairlead.core.serving.programmed import examine_gateway, gateway_answers, programmed
from fairlead.core.serving.replicas import full_count
from fairlead.core.serving.target import Target, known_model, refused_model
from fairlead.core.serving.traffic import next_traffic
from fairlead.core.world import RegistryProblem, ServingWorld, Unanswered
from fairlead.render.serving import selector_labels

_IMAGE_IDS_LIMIT = 10


def _unreachable(look: Look) -> Headline | None:
    """Whatever serves, users do not reach it: a name on their way is somebody else's, or no port is left."""
    service = ObjectRef("Service", look.world.resource.meta.name) in look.conflicts
    gateway = look.world.gateway.conflict is not None and not gateway_answers(look.world)
    return name_taken(look) if service or gateway else no_port(look)


def _phase(look: Look, head: Headline) -> DeploymentPhase:
    """While one serves, only what becomes of a revision moves it: what hinders us all alike is in the conditions."""
    if _unreachable(look):
        return DeploymentPhase.FAILED
    if look.pointers.stable is None:
        return DeploymentPhase.FAILED if head.failed else DeploymentPhase.STARTING
    if look.evidence:
        return _rollout_phase(look)
    coming = next((found for check in REVISION_CHECKS if (found := check(look))), None)
    if coming is None or coming.reason is None:
        return DeploymentPhase.STABLE
    if coming.failed and look.pointers.failure:
        return DeploymentPhase.FAILED
    otherwise = DeploymentPhase.ROLLED_BACK if coming.failed else DeploymentPhase.STARTING
    return _BY_REASON.get(coming.reason, otherwise)


_BY_REASON = {
    Reason.PAUSED: DeploymentPhase.PAUSED,
    Reason.AWAITING_APPROVAL: DeploymentPhase.AWAITING_APPROVAL,
    Reason.ROLLOUTS_FROZEN: DeploymentPhase.HELD,
    Reason.ANALYSIS_INCONCLUSIVE: DeploymentPhase.INCONCLUSIVE,
    Reason.ABORTED: DeploymentPhase.INCONCLUSIVE,
    Reason.NO_EVIDENCE: DeploymentPhase.HELD,
    Reason.STABLE_UNHEALTHY: DeploymentPhase.HELD,
    Reason.CANDIDATE_OVERLOADED: DeploymentPhase.HELD,
}
_BY_STAGE = {
    Stage.SHADOW: DeploymentPhase.SHADOW,
    Stage.CANARY: DeploymentPhase.CANARY,
    Stage.BRAKED: DeploymentPhase.BRAKED,
    Stage.COOLING: DeploymentPhase.BRAKED,
    Stage.GUARD: DeploymentPhase.GUARD,
    Stage.ENDED: DeploymentPhase.STABLE,
}


def _rollout_phase(look: Look) -> DeploymentPhase:
    """What holds a rollout, else where it stands. A braked one stays Braked, whatever holds it there."""
    evidence, rollout = look.evidence, look.pointers.rollout
    if evidence is None or rollout is None:
        return DeploymentPhase.STABLE
    stage = Stage(evidence.stage)
    held = _BY_REASON.get(Reason(evidence.reason))
    if held and (stage not in (Stage.BRAKED, Stage.COOLING) or held is DeploymentPhase.PAUSED):
        return held
    return _BY_STAGE[stage]


def _lost(world: ServingWorld, revision: str) -> Finding | None:
    """Neither the Deployment nor the ControllerRevision that it was made from is there: nothing can rebuild it."""
    if revision in world.workloads or any(item.name == revision for item in world.revisions):
        return None
    text = f"ControllerRevision and Deployment {revision} are gone, so its pods cannot be rebuilt"
    return Finding(Reason.REVISION_LOST, text, final=True)


def _answers(look: Look, stable: RevisionStatus) -> Condition:
    """Stable has ready pods: whether users reach them, and get what they should."""
    if missing := examine_gateway(look.world):
        return condition(ConditionType.READY, False, missing.reason, missing.message)
    if failure := look.pointers.failure:
        text = f"revision {failure.revision} answers, but not as it has to: {failure.message}"
        return condition(ConditionType.READY, False, Reason(failure.reason), text)
    if trial := look.pointers.unsettled:
        return condition(ConditionType.READY, False, Reason.ON_PROBATION, trial.describe_unsettled())
    return condition(ConditionType.READY, True, Reason.SERVING, f"revision {stable.revision} answers")


def _ready(look: Look, head: Headline) -> Condition:
    """Ready means: answers users."""
    world, stable = look.world, look.pointers.stable
    if cut_off := _unreachable(look):
        return condition(ConditionType.READY, False, cut_off.reason or Reason.STARTING, cut_off.message)
    if stable is None:
        return condition(ConditionType.READY, False, head.reason or Reason.STARTING, head.message)
    workload = world.workloads.get(stable.revision)
    if workload and workload.ready > 0:
        return _answers(look, stable)
    finding = _lost(world, stable.revision) or examine(world, stable.revision)
    if finding:
        return condition(ConditionType.READY, False, finding.reason, finding.message)
    return condition(ConditionType.READY, False, Reason.PODS_NOT_READY, progress(world, look.pointers, stable))


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
    if stable and workload and (not workload.current or workload.ready != full_count(world, pointers.rollout)):
        return condition(ConditionType.RECONCILING, True, Reason.SCALING, progress(world, pointers, stable))
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


def _conditions(look: Look, head: Headline, traffic: Traffic) -> list[Condition]:
    """Those that hold, or are told to be false."""
    world, pointers = look.world, look.pointers
    ready = _ready(look, head)
    found = [
        ready,
        _rolled_out(pointers, head),
        _resolved(world),
        programmed(world, traffic),
        _activity(world, pointers, head, ready),
    ]
    return [item for item in found if item]


def project_status(
    world: ServingWorld, pointers: Pointers, target: Target | Finding, conflicts: list[ObjectRef]
) -> ModelDeploymentStatus:
    """The whole status."""
    resource = world.resource
    # What was asked for may have changed what the numbers do not show.
    written = resource.status.evidence if pointers.last_request == resource.status.last_request else None
    evidence = show(pointers.rollout, written, now=world.now) if pointers.rollout else None
    look = Look(world, pointers, target, conflicts, evidence)
    head = headline(look)
    traffic = next_traffic(world, pointers, head.reason or Reason.STARTING)
    model = known_model(world)
    serving = pointers.stable or pointers.candidate
    workload = world.workloads.get(serving.revision) if serving else None
    labels = selector_labels(resource.meta, serving.revision) if serving else {}
    return ModelDeploymentStatus(
        observed_generation=resource.meta.generation,
        phase=_phase(look, head),
        conditions=merge_conditions(
            resource.status.conditions,
            _conditions(look, head, traffic),
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
        traffic=traffic,
        quarantine=pointers.quarantine,
        evidence=evidence,
        probation=show_trial(pointers.trial, resource.status.probation, world.now) if pointers.trial else None,
        history=pointers.history,
        last_request=pointers.last_request,
        refresh=pointers.refresh,
        selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        replicas=workload.replicas if workload else 0,
    )
