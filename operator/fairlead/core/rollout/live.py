"""A rollout as the status keeps it, and as a decision needs it: read, judged by one more look, and written again."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import DECISIONS_LIMIT, Decision, Evidence
from fairlead.core.effects import Remembered
from fairlead.core.evidence.forecast import eta_seconds
from fairlead.core.evidence.policy import InvalidPolicy, Policy
from fairlead.core.evidence.record import InvalidRecord, as_json, dump_policy, dump_state, load_policy, load_state
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import Stage, State
from fairlead.core.rollout.arms import Contest, is_promoted
from fairlead.core.rollout.checks import Judgement
from fairlead.core.rollout.decide import Verdict, begin, decide
from fairlead.core.rollout.orders import Orders

WRITTEN_EVERY = timedelta(seconds=10)
"""How often numbers alone are written: a crash loses as much evidence at most, and the API server has other work."""
_SIGNIFICANT = 4


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout. `verdict` is that of the last look; None before the first."""

    contest: Contest
    policy: Policy
    state: State
    since: datetime
    floor: int
    paused: bool = False
    decisions: tuple[Decision, ...] = ()
    verdict: Verdict | None = None
    record: str = ""
    """The last look as JSON, when something was decided: what `fairlead replay` reads."""

    @property
    def name(self) -> str:
        """Tells this rollout from every other one of the ModelDeployment."""
        return f"{self.contest.candidate}@{self.since.isoformat()}"

    @property
    def promoted(self) -> bool:
        """Whether the candidate is stable already, and only the guard is left."""
        return is_promoted(self.policy, self.state)

    def noted(self, at: datetime, action: str, reason: Reason) -> "Rollout":
        """With a decision on record, numbers as they were before it."""
        entry = make_decision(at, action, reason, self.state.weight_percent, self.verdict)
        return replace(self, decisions=(*self.decisions, entry)[-DECISIONS_LIMIT:])


def make_decision(
    at: datetime, action: str, reason: Reason, weight_percent: float, verdict: Verdict | None
) -> Decision:
    """One for the record, with the numbers behind it; without a verdict nothing has been seen yet."""
    return Decision(
        at=at,
        action=action,
        reason=reason.value,
        weight=round(weight_percent, 1),
        requests=verdict.requests if verdict else 0,
        failures=verdict.failures if verdict else 0,
        fast=rounded(verdict.fast if verdict else 0.0),
        sure=rounded(verdict.sure if verdict else 0.0),
    )


def make_record(**parts: object) -> str:
    """All that a decision was made from, as `fairlead replay` reads it."""
    return json.dumps({name: as_json(part) for name, part in parts.items()}, separators=(",", ":"))


def begin_rollout(contest: Contest, policy: Policy, *, now: datetime, floor: int) -> Rollout:
    """A rollout whose first step's weight, or whose mirror, is written together with it."""
    return Rollout(contest, policy, begin(policy), now, floor).noted(now, "begin", Reason.STARTING)


def parse_rollout(evidence: Evidence, remembered: Remembered | None) -> Rollout | None:
    """The rollout that the status speaks of; None when what it remembers cannot be read, so that it begins anew.

    What the operator itself remembers is newer, unless another one has written since.
    """
    try:
        policy, state = load_policy(evidence.policy), load_state(evidence.state)
    except (InvalidRecord, InvalidPolicy):
        return None
    contest = Contest(evidence.candidate, evidence.incumbent)
    found = Rollout(contest, policy, state, evidence.since, evidence.floor, evidence.paused, evidence.decisions)
    if remembered is None or remembered.rollout != found.name:
        return found
    mine = remembered.state
    same = (mine.stage, mine.step, mine.weight_percent) == (state.stage, state.step, state.weight_percent)
    return replace(found, state=mine) if same and mine.clock_seconds > state.clock_seconds else found


def look(rollout: Rollout, sample: Sample, orders: Orders, *, now: datetime) -> Rollout:
    """The rollout after one look at the gateways."""
    before = rollout.state
    state, verdict = decide(rollout.policy, before, sample, orders)
    after = replace(rollout, state=state, verdict=verdict)
    if _stands_at(before) == _stands_at(state):
        return after
    text = make_record(policy=rollout.policy, state=before, sample=sample, orders=orders, verdict=verdict)
    return replace(after, record=text).noted(now, verdict.action.value, verdict.reason)


def _stands_at(state: State) -> tuple[object, ...]:
    """What a decision changes. A shadow that was held and goes on stays where it is."""
    return (state.stage, state.step, state.weight_percent, state.brakes)


def rounded(value: float) -> float:
    """As the status shows evidence, which goes from nothing to astronomical."""
    return float(f"{value:.{_SIGNIFICANT}g}")


def show(rollout: Rollout, stored: Evidence | None, *, now: datetime) -> Evidence:
    """What the status says: as stored, unless something was decided, or it is time again."""
    made = _made(rollout, now)
    if stored is None or rollout.verdict is None:
        return made if stored is None or _news(made, stored) else stored
    due = now - stored.updated >= WRITTEN_EVERY
    return made if due or _news(made, stored) else stored


def _news(made: Evidence, stored: Evidence) -> bool:
    """Whether anything but numbers differs."""

    def words(evidence: Evidence) -> tuple[object, ...]:
        return (
            evidence.candidate, evidence.incumbent, evidence.since, evidence.stage, evidence.step, evidence.weight,
            evidence.verdict, evidence.reason, evidence.acts, evidence.paused, evidence.decisions,
        )  # fmt: skip

    return words(made) != words(stored)


def _made(rollout: Rollout, now: datetime) -> Evidence:
    policy, state, verdict = rollout.policy, rollout.state, rollout.verdict
    count = state.clean_count if state.stage is Stage.BRAKED else state.step_count
    eta = eta_seconds(policy, state)
    return Evidence(
        candidate=rollout.contest.candidate,
        incumbent=rollout.contest.incumbent,
        since=rollout.since,
        updated=now,
        stage=state.stage.value,
        step=state.step + 1,
        steps=len(policy.steps_percent),
        weight=round(state.weight_percent, 1),
        verdict=(verdict.judgement if verdict else Judgement.UNKNOWN).value,
        reason=(verdict.reason if verdict else Reason.STARTING).value,
        acts=verdict.acts if verdict else True,
        requests=count.attempts,
        failures=count.failures,
        needed_requests=policy.requests_needed(state.step),
        seconds=int(state.observed_seconds - state.since_seconds),
        needed_seconds=int(policy.seconds_needed(state.step)),
        eta_seconds=None if eta is None else round(eta),
        fast=rounded(verdict.fast if verdict else 0.0),
        brake_at=rounded(verdict.brake_at if verdict else 0.0),
        sure=rounded(verdict.sure if verdict else 0.0),
        roll_back_at=rounded(verdict.roll_back_at if verdict else 0.0),
        paused=rollout.paused,
        floor=rollout.floor,
        policy=dump_policy(policy),
        state=dump_state(state),
        decisions=rollout.decisions,
    )
