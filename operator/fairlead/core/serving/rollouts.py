"""What becomes of a candidate that has to earn its traffic: its rollout begins, is judged look by look, and ends."""

from dataclasses import dataclass, replace
from datetime import datetime

from fairlead.api.model_deployment import UNVERIFIED, QuarantinedRevision, RevisionStatus
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.rollout_status import LAST_DECISIONS, Decision, HistoryEntry, Outcome
from fairlead.core.evidence.policy import SHADOW_STEP, Policy
from fairlead.core.evidence.state import Stage
from fairlead.core.findings import Finding
from fairlead.core.rollout.arms import Contest
from fairlead.core.rollout.checks import Action
from fairlead.core.rollout.decide import promote_now
from fairlead.core.rollout.live import Rollout, begin_rollout, look
from fairlead.core.rollout.looks import make_sample
from fairlead.core.rollout.orders import Orders
from fairlead.core.rollout.policy import make_policy
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.replicas import count_for, full_count, has_ready, next_count
from fairlead.core.serving.target import Target
from fairlead.core.world import ServingWorld

THE_MODEL_S_FAULT = frozenset(
    {
        Reason.ERRORS_ABOVE_STABLE, Reason.ERRORS_ABOVE_LIMIT, Reason.LATENCY_ABOVE_STABLE, Reason.LATENCY_ABOVE_LIMIT,
        Reason.EVERY_REQUEST_FAILED, Reason.CANDIDATE_EJECTED, Reason.MODEL_LOAD_FAILED, Reason.UNSUPPORTED_FLAVOR,
        Reason.DIGEST_MISMATCH,
    }
)  # fmt: skip
"""Reasons that speak of the model's files: another revision with the same ones is not tried either."""


@dataclass(frozen=True, slots=True)
class End:
    """How a rollout ends, or a candidate before it has had one."""

    outcome: Outcome
    reason: Reason
    message: str
    decisions: tuple[Decision, ...] = ()
    """All that the rollout did, when there was one."""


def policy_of(world: ServingWorld, target: Target) -> Policy:
    """The rules of a rollout to this target, by the spec as it is now."""
    container = target.inputs.get("container")
    return rules_of(world, builtin=not (isinstance(container, dict) and container.get("image")))


def rules_of(world: ServingWorld, *, builtin: bool) -> Policy:
    """The rules of a rollout to a revision of the built-in server, or to another one."""
    rollout = world.resource.spec.rollout
    return make_policy(
        rollout.canary,
        rollout.checks,
        rollout.guard,
        shadow=rollout.shadow,
        hold_deadline=rollout.hold_deadline,
        request_timeout=world.resource.spec.request_timeout,
        builtin=builtin,
    )


def stopped_by(world: ServingWorld) -> Reason | None:
    """What keeps every rollout of this ModelDeployment from beginning now."""
    if world.resource.spec.paused:
        return Reason.PAUSED
    if world.rollouts.frozen:
        return Reason.ROLLOUTS_FROZEN
    return None if world.rollouts.room else Reason.ROLLOUTS_LIMITED


def begun(world: ServingWorld, pointers: Pointers, target: Target) -> Pointers:
    """With a rollout from stable to the candidate, once its pods are ready for its shadow, or else its first step."""
    candidate, stable = pointers.candidate, pointers.stable
    if candidate is None or stable is None or pointers.rollout or candidate.revision != target.revision:
        return pointers
    policy = policy_of(world, target)
    share = policy.shadow.percent if policy.shadow else policy.steps_percent[0]
    ready = has_ready(world, candidate.revision, count_for(world, None, share))
    if not ready or stopped_by(world) or pointers.unsettled:
        return pointers
    contest = Contest(candidate.revision, stable.revision)
    return replace(pointers, rollout=begin_rollout(contest, policy, now=world.now, floor=world.resource.spec.replicas))


def judged(world: ServingWorld, pointers: Pointers) -> Pointers:
    """After one look at the gateways, and what follows from it.

    A new leader first writes its epoch into the traffic, so that whatever the former one still sends is refused; only
    then does it decide.
    """
    rollout, traffic = pointers.rollout, world.resource.status.traffic
    if rollout is None or traffic is None or traffic.epoch < world.epoch:
        return pointers
    orders = Orders(
        paused=world.resource.spec.paused or rollout.paused,
        frozen=world.rollouts.frozen,
        scaled=rollout.promoted or has_ready(world, rollout.contest.candidate, next_count(world, rollout)),
    )
    sample = make_sample(
        world.evidence,
        world.resource.meta.name,
        rollout.contest,
        now_seconds=world.at_seconds,
        stale_seconds=world.evidence_stale_seconds,
        shadow=rollout.policy.shadow if rollout.state.stage is Stage.SHADOW else None,
    )
    return moved(world, pointers, rollout, look(rollout, sample, orders, now=world.now))


def moved(world: ServingWorld, pointers: Pointers, before: Rollout, after: Rollout) -> Pointers:
    """The roles after a decision."""
    pointers = replace(pointers, rollout=after, record=after.record)
    if after.state.stage is Stage.ENDED:
        return _ended(world, pointers, before, after)
    if after.promoted == before.promoted:
        return pointers
    return _promoted(world, pointers) if after.promoted else _taken_back(world, pointers)


def _promoted(world: ServingWorld, pointers: Pointers) -> Pointers:
    """The candidate is stable from now on; the one before keeps its pods, and a share, for the guard."""
    if pointers.candidate is None or pointers.stable is None:
        return pointers
    return replace(
        pointers,
        stable=_since(pointers.candidate, world.now),
        candidate=None,
        previous=_since(pointers.stable, world.now),
    )


def _taken_back(world: ServingWorld, pointers: Pointers) -> Pointers:
    """Braked in a guard that does not shield users: the one before serves again, and the other one is a candidate."""
    if pointers.stable is None or pointers.previous is None:
        return pointers
    return replace(
        pointers,
        stable=_since(pointers.previous, world.now),
        candidate=_since(pointers.stable, world.now),
        previous=None,
    )


def _since(slot: RevisionStatus, now: datetime) -> RevisionStatus:
    return slot.model_copy(update={"since": now})


def _ended(world: ServingWorld, pointers: Pointers, before: Rollout, after: Rollout) -> Pointers:
    verdict = after.verdict
    reason = verdict.reason if verdict else Reason.PROMOTED
    if after.state.weight_percent > 0:
        pointers = pointers if before.promoted else _promoted(world, pointers)
        return _won(world, pointers, after, reason)
    gave_up = verdict is not None and verdict.action is Action.GIVE_UP
    outcome = Outcome.INCONCLUSIVE if gave_up else Outcome.ROLLED_BACK
    return lost(world, pointers, before, End(outcome, reason, describe(after), after.decisions))


def _won(world: ServingWorld, pointers: Pointers, after: Rollout, reason: Reason) -> Pointers:
    """The guard is over, or there is none after the shadow: the one before has served its time."""
    told = Reason.PROMOTED if reason is Reason.STEP_PASSED else reason
    entry = entry_of(world, after, pointers.stable, End(Outcome.PROMOTED, told, describe(after, told), after.decisions))
    previous = _since(pointers.previous, world.now) if pointers.previous else None
    return replace(pointers, rollout=None, previous=previous).with_history(entry)


def lost(world: ServingWorld, pointers: Pointers, rollout: Rollout, end: End) -> Pointers:
    """The rollout is over and the one before serves, again or still. The other one's pods end their requests first."""
    if rollout.promoted:
        loser, winner = pointers.stable, pointers.previous
    else:
        loser, winner = pointers.candidate, pointers.stable
    entry = entry_of(world, rollout, loser, end)
    after = replace(
        pointers,
        stable=_since(winner, world.now) if winner and rollout.promoted else winner,
        candidate=None,
        previous=_since(loser, world.now) if loser else None,
        rollout=None,
    ).with_history(entry)
    return quarantined(world, after, loser, end) if end.outcome is Outcome.ROLLED_BACK and loser else after


def quarantined(world: ServingWorld, pointers: Pointers, slot: RevisionStatus, end: End) -> Pointers:
    """The revision is not tried again; nor is, where it is the model's fault, any other with the same files. With the
    files of the one that serves well, as after a change of resources or a refresh, it was not the model's fault.
    """
    serving = pointers.stable.digest if pointers.stable else ""
    known = slot.digest if slot.digest not in (UNVERIFIED, serving) else ""
    entry = QuarantinedRevision(
        revision=slot.revision,
        reason=end.reason.value,
        message=end.message,
        digest=known if end.reason in THE_MODEL_S_FAULT else "",
        since=world.now,
    )
    return pointers.with_quarantine(entry)


def failed_to_run(world: ServingWorld, pointers: Pointers, finding: Finding) -> Pointers:
    """The judged revision cannot start, or crashes again and again: that needs no statistics."""
    return given_up(world, pointers, End(Outcome.ROLLED_BACK, finding.reason, finding.message))


def promoted_by_hand(world: ServingWorld, pointers: Pointers) -> Pointers | str:
    """Whatever the evidence: everything but the guard's share, and in the guard everything. Or why it cannot be."""
    rollout = pointers.rollout
    if rollout is None:
        return "no rollout is on"
    needed = full_count(world, rollout)
    if not rollout.promoted and not has_ready(world, rollout.contest.candidate, needed):
        ready = world.workloads[rollout.contest.candidate].ready if rollout.contest.candidate in world.workloads else 0
        return f"revision {rollout.contest.candidate} has {ready} ready pods, and needs {needed} for all of the traffic"
    after = replace(rollout, state=promote_now(rollout.policy, rollout.state), verdict=None)
    return moved(world, pointers, rollout, after.noted(world.now, "promote", Reason.PROMOTED))


def given_up(world: ServingWorld, pointers: Pointers, end: End) -> Pointers:
    """The candidate, with traffic or without, or the revision in its guard, is no longer wanted."""
    if pointers.rollout:
        return lost(world, pointers, pointers.rollout, end)
    candidate = pointers.candidate
    if candidate is None:
        return pointers
    after = replace(pointers, candidate=None).with_history(entry_of(world, None, candidate, end))
    return quarantined(world, after, candidate, end) if end.outcome is Outcome.ROLLED_BACK else after


def entry_of(world: ServingWorld, rollout: Rollout | None, slot: RevisionStatus | None, end: End) -> HistoryEntry:
    """The line that the history keeps of an end."""
    return HistoryEntry(
        revision=slot.revision if slot else "",
        model=_model_of(world, slot) if slot else "",
        model_version=slot.model_version if slot else "",
        outcome=end.outcome,
        reason=end.reason.value,
        message=end.message[:1024],
        since=rollout.since if rollout else None,
        ended=world.now,
        decisions=(end.decisions or (rollout.decisions if rollout else ()))[-LAST_DECISIONS:],
        told=not (slot and slot.model_version),
    )


def _model_of(world: ServingWorld, slot: RevisionStatus) -> str:
    """The registered model of a revision, which the spec may have left since."""
    stored = next((item for item in world.revisions if item.name == slot.revision), None)
    spec = world.resource.spec.model
    if stored is None:
        return spec.name if spec and slot.model_version else ""
    return str((stored.inputs.get("model") or {}).get("name", ""))


def describe(rollout: Rollout, reason: Reason | None = None) -> str:
    """What was seen, in a sentence with the numbers, and what it means: by the verdict's reason, or by another one."""
    verdict, policy = rollout.verdict, rollout.policy
    if verdict is None:
        return "by request"
    steps = len(policy.steps_percent)
    where = "in the guard" if verdict.step >= steps else f"at step {verdict.step + 1} of {steps}"
    if verdict.step == SHADOW_STEP:
        where = "as a shadow, with copies that no user waited for"
    return (
        f"{where}: {verdict.failures} of {verdict.requests} requests failed; evidence {verdict.fast:.3g} (brakes at "
        f"{verdict.brake_at:.3g}), {verdict.sure:.3g} (rolls back at {verdict.roll_back_at:.3g}). "
        f"{EXPLAINED[reason or verdict.reason].meaning}"
    )
