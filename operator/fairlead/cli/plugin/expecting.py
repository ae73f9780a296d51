"""What a resource waits for, and about how long: one sentence."""

from dataclasses import dataclass
from typing import assert_never

from fairlead.api.conditions import Condition, ConditionStatus, ConditionType
from fairlead.api.model_deployment import DeploymentPhase, ModelDeploymentStatus
from fairlead.api.resource import ModelDeployment
from fairlead.api.rollout_status import Evidence
from fairlead.cli.plugin.figures import count_of, spell_duration
from fairlead.cli.plugin.words import explain
from fairlead.core.evidence.state import Stage


@dataclass(frozen=True, slots=True)
class Expectation:
    """`text` is empty when there is nothing to wait for; `eta_seconds` None when nobody knows."""

    text: str
    eta_seconds: int | None = None


def find_condition(status: ModelDeploymentStatus, kind: ConditionType) -> Condition | None:
    """The condition of this type, if it is there."""
    return next((item for item in status.conditions if item.type == kind), None)


def _because(status: ModelDeploymentStatus) -> str:
    """Why what is asked for does not serve, in the operator's words."""
    rolled_out = find_condition(status, ConditionType.ROLLED_OUT)
    if rolled_out is None or rolled_out.status is ConditionStatus.TRUE:
        return ""
    return f"{rolled_out.reason}: {rolled_out.message or explain(rolled_out.reason).meaning}"


def _requests(evidence: Evidence, what: str) -> tuple[str, int | None]:
    missing = max(0, evidence.needed_requests - evidence.requests)
    if not missing:
        return "", 0
    if evidence.eta_seconds is None:
        return f"{count_of(missing, what)} more; none came in the last minute", None
    rate = f"{count_of(missing, what)} more, about {spell_duration(evidence.eta_seconds)} at today's rate"
    return rate, evidence.eta_seconds


def _step(evidence: Evidence, what: str) -> Expectation:
    """Requests and time; the later of the two decides."""
    left = max(0, evidence.needed_seconds - evidence.seconds)
    text, eta = _requests(evidence, what)
    parts = [part for part in (text, f"{spell_duration(left)} more of watching" if left else "") if part]
    together = None if eta is None else max(eta, left)
    return Expectation(" and ".join(parts) or "the operator's next look", together)


def _judged(evidence: Evidence) -> Expectation:
    """By the stage of the rollout that is on."""
    match evidence.stage:
        case Stage.COOLING:
            return Expectation("the cool-down to be over; its first step is tried once more then")
        case Stage.BRAKED:
            return _step(evidence, "clean request")
        case Stage.GUARD:
            found = _step(evidence, "request")
            return Expectation(f"the guard: {found.text}", found.eta_seconds)
        case _:
            return _step(evidence, "candidate request")


def _rollout(status: ModelDeploymentStatus) -> Expectation:
    if status.evidence is None:
        return Expectation(_because(status) or "the operator's next look")
    return _judged(status.evidence)


def _held(status: ModelDeploymentStatus) -> str:
    reason = status.evidence.reason if status.evidence else ""
    if not reason:
        return _because(status) or "something to judge by"
    told = explain(reason)
    return f"something to judge by: {told.meaning} {told.action}"


def expect(resource: ModelDeployment) -> Expectation:
    """What this ModelDeployment waits for."""
    status, name, phase = resource.status, resource.meta.name, resource.status.phase
    match phase:
        case DeploymentPhase.SHADOW | DeploymentPhase.CANARY | DeploymentPhase.BRAKED | DeploymentPhase.GUARD:
            return _rollout(status)
        case None:
            text = "the operator to look at it"
        case DeploymentPhase.STARTING:
            text = _because(status) or "its pods to be ready"
        case DeploymentPhase.STABLE:
            text = _because(status)
        case DeploymentPhase.HELD:
            text = _held(status)
        case DeploymentPhase.AWAITING_APPROVAL:
            text = f"somebody's approval: kubectl fairlead approve {name}"
        case DeploymentPhase.PAUSED:
            text = "spec.paused to be false" if resource.spec.paused else f"somebody: kubectl fairlead resume {name}"
        case DeploymentPhase.ROLLED_BACK | DeploymentPhase.INCONCLUSIVE | DeploymentPhase.FAILED:
            text = f"somebody to act: {_because(status) or 'see the conditions'}"
        case _:
            assert_never(phase)
    return Expectation(text)
