"""The one thing to know about a ModelDeployment: an ordered list of small checks, the first that speaks is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fairlead.api.model_deployment import RevisionStatus
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.rollout_status import Evidence
from fairlead.api.scalars import parse_limit
from fairlead.api.traffic import FIRST_PORT, LAST_PORT, Mirror
from fairlead.core.effects import ObjectRef
from fairlead.core.findings import Finding
from fairlead.core.rollout.arms import mirror_of
from fairlead.core.serving.pointers import Pointers, examine
from fairlead.core.serving.replicas import wanted_count
from fairlead.core.serving.rollouts import stopped_by
from fairlead.core.serving.target import Target
from fairlead.core.world import ServingWorld


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


def progress(world: ServingWorld, pointers: Pointers, slot: RevisionStatus) -> str:
    """`revision churn-1: 1 of 3 pods ready`."""
    workload, wanted = world.workloads.get(slot.revision), wanted_count(world, pointers, slot)
    return f"revision {slot.revision}: {workload.ready if workload else 0} of {wanted} pods ready"


@dataclass(frozen=True, slots=True)
class Look:
    """What the headline is found in."""

    world: ServingWorld
    pointers: Pointers
    target: Target | Finding
    conflicts: list[ObjectRef]
    evidence: Evidence | None = None
    """What the status says of the rollout that is on."""


def name_taken(look: Look) -> Headline | None:
    """An object that is not ours has a name that we, or the gateway that we need, would use."""
    if look.conflicts:
        ref, whose = look.conflicts[0], "controlled by this ModelDeployment"
    elif look.world.gateway.conflict:
        ref, whose = look.world.gateway.conflict, "the gateway's"
    else:
        return None
    text = f"{ref.kind} {ref.name} exists and is not {whose}; it is left alone"
    return Headline(Reason.NAME_CONFLICT, text, failed=True)


def write_refused(look: Look) -> Headline | None:
    """The API server refuses a child of ours, or an object of the gateway that we need."""
    gateways = look.world.gateway.refused
    refused = look.world.refused or (f"gateway: {gateways}" if gateways else "")
    return Headline(Reason.REJECTED, refused, failed=True) if refused else None


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
    banned = look.pointers.banned(wanted, look.target.digest)
    if banned is None or (stable and stable.revision == wanted):
        return None
    whose = "" if banned.revision == wanted else f" with the model of revision {banned.revision}"
    text = f"revision {wanted}{whose} is quarantined: {banned.message}"
    return Headline(Reason(banned.reason), text, failed=True)


def stable_failed(look: Look) -> Headline | None:
    """The spec asks for what serves, and that does not keep its limits."""
    failure = look.pointers.failure
    if failure is None or isinstance(look.target, Finding) or look.target.revision != failure.revision:
        return None
    text = f"revision {failure.revision} serves, for there is no other: {failure.message}"
    return Headline(Reason(failure.reason), text, failed=True)


def target_held_back(look: Look) -> Headline | None:
    """The spec asks for a revision whose rollout ended without a verdict."""
    if isinstance(look.target, Finding) or look.pointers.candidate:
        return None
    wanted, stable = look.target.revision, look.pointers.stable
    entry = look.pointers.held_back(wanted)
    if entry is None or (stable and stable.revision == wanted):
        return None
    return Headline(
        Reason(entry.reason), f"revision {wanted} is not tried again by itself: {entry.message}", failed=True
    )


def rollout_on(look: Look) -> Headline | None:
    """A candidate has its share of the traffic, or a promoted one its guard."""
    evidence = look.evidence
    if evidence is None:
        return None
    if finding := examine(look.world, evidence.candidate):
        return Headline(finding.reason, finding.message, failed=False)
    rollout = look.pointers.rollout
    mirror = mirror_of(rollout.policy, rollout.state, rollout.contest) if rollout else None
    return Headline(Reason(evidence.reason), _told(evidence, mirror), failed=False)


def _told(evidence: Evidence, mirror: Mirror | None) -> str:
    """`revision churn-2: 5% at step 1 of 3; 12 of 150 requests, 0 failed; evidence 0.5 of 100`."""
    where = f"at step {evidence.step} of {evidence.steps}"
    if mirror:
        where = f"of the traffic and copies of {mirror.percent}% of it, as a shadow"
    elif evidence.step > evidence.steps:
        where = "in its guard"
    seen = f"{evidence.requests} of {evidence.needed_requests} requests, {evidence.failures} failed"
    against = "to hold" if mirror else "to brake"
    told = "" if evidence.acts else "; checks.mode is observe: a fail is told only"
    return (
        f"revision {evidence.candidate}: {evidence.weight:g}% {where}; {seen}; evidence {evidence.fast:g} of "
        f"{evidence.brake_at:g} {against}, {evidence.sure:g} of {evidence.roll_back_at:g} to roll back{told}"
    )


def waits_for_its_turn(look: Look) -> Headline | None:
    """A new revision may not come up, or not get its first share, because somebody wants it so."""
    if isinstance(look.target, Finding) or look.pointers.rollout:
        return None
    stable, wanted = look.pointers.stable, look.target.revision
    if stable and stable.revision == wanted:
        return None
    reason = stopped_by(look.world)
    if reason is None or (stable is None and reason is not Reason.PAUSED):
        return None
    if reason is Reason.ROLLOUTS_LIMITED and not look.world.resource.spec.rollout.is_earned:
        return None
    return Headline(reason, f"revision {wanted} waits: {EXPLAINED[reason].meaning}", failed=False)


def stable_unsettled(look: Look) -> Headline | None:
    """What serves has yet to show that users can count on it, and what comes after it waits for that."""
    trial = look.pointers.unsettled
    if trial is None or isinstance(look.target, Finding):
        return None
    wanted, text = look.target.revision, trial.describe_unsettled()
    waits = "" if wanted == trial.revision else f"revision {wanted} waits: "
    return Headline(Reason.ON_PROBATION, waits + text, failed=False)


def candidate_coming(look: Look) -> Headline | None:
    """The candidate has failed, is late, or is on its way."""
    candidate = look.pointers.candidate
    if candidate is None:
        return None
    finding = examine(look.world, candidate.revision)
    if finding is None or not finding.final:
        finding = _deadline(look.world, candidate, finding) or finding
    if finding is None:
        return Headline(Reason.STARTING, progress(look.world, look.pointers, candidate), failed=False)
    return Headline(finding.reason, finding.message, failed=finding.final)


def no_port(look: Look) -> Headline | None:
    """The gateway has no port left."""
    if look.world.port is not None:
        return None
    text = f"every port of the gateway ({FIRST_PORT} to {LAST_PORT}) belongs to another ModelDeployment"
    return Headline(Reason.PORTS_EXHAUSTED, text, failed=True)


REVISION_CHECKS = (
    stable_failed,
    target_quarantined,
    target_held_back,
    rollout_on,
    waits_for_its_turn,
    stable_unsettled,
    candidate_coming,
)
"""What becomes of the revision that the spec asks for."""
CHECKS = (name_taken, no_port, write_refused, target_unknown, *REVISION_CHECKS)


def headline(look: Look) -> Headline:
    """The one thing to know: what the first of the checks says."""
    return next((found for check in CHECKS if (found := check(look))), Headline(None, "", failed=False))
