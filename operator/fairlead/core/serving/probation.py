"""The first revision, and what replaces a failed one, has nothing to be compared with: it is on probation.

    all of the traffic ──> on probation ── its first requests, or none for a while ──> Ready
                                ├── its time and its requests ──> no longer
                                └── the limits are broken, and that is sure ──> quarantined

A failed one serves on all the same, for there is no other; but the resource is not Ready, and what comes next
takes its place as soon as it is ready, because there is nothing to lose.
"""

from dataclasses import replace

from fairlead.api.model_deployment import RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import Outcome
from fairlead.core.rollout.arms import NOBODY, Contest
from fairlead.core.rollout.decide import Verdict
from fairlead.core.rollout.live import make_decision
from fairlead.core.rollout.looks import make_sample
from fairlead.core.rollout.trial import STALE_SECONDS, begin_trial, look_alone, settle
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.rollouts import End, entry_of, quarantined, rules_of, stopped_by
from fairlead.core.world import ServingWorld


def put_on(world: ServingWorld, pointers: Pointers) -> Pointers:
    """With stable on probation, where the spec has its revisions earn their traffic at all."""
    if pointers.stable is None or not world.resource.spec.rollout.is_earned:
        return pointers
    return replace(pointers, trial=begin_trial(pointers.stable.revision, rules_of(world, builtin=False), world.now))


def judged_alone(world: ServingWorld, pointers: Pointers) -> Pointers:
    """After one look at the gateways. A rollout that begins meanwhile compares, and says more."""
    trial, stable = pointers.trial, pointers.stable
    if trial is None:
        return pointers
    if stable is None or stable.revision != trial.revision or pointers.rollout:
        return replace(pointers, trial=None)
    if stopped_by(world) in (Reason.PAUSED, Reason.ROLLOUTS_FROZEN):
        return replace(pointers, trial=settle(trial, world.now))
    sample = make_sample(
        world.evidence,
        world.resource.meta.name,
        Contest(trial.revision, NOBODY),
        now_seconds=world.at_seconds,
        stale_seconds=STALE_SECONDS,
    )
    after = look_alone(trial, sample)
    if verdict := after.failed:
        return _failed(world, replace(pointers, trial=None, record=after.record), stable, verdict, after.describe())
    return replace(pointers, trial=None if after.is_over(world.now) else settle(after, world.now))


def _failed(world: ServingWorld, pointers: Pointers, stable: RevisionStatus, verdict: Verdict, seen: str) -> Pointers:
    decision = make_decision(world.now, verdict.judgement.value, verdict.reason, verdict.weight_percent, verdict)
    text = f"with all of the traffic, and nothing to be compared with: {seen}"
    end = End(Outcome.FAILED, verdict.reason, text, (decision,))
    return quarantined(world, pointers.with_history(entry_of(world, None, stable, end)), stable, end)
