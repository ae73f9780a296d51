"""A revision that has all of the traffic, and nothing to be compared with, held to the limits alone."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import Probation
from fairlead.core.effects import Remembered
from fairlead.core.evidence.policy import InvalidPolicy, Mode, Policy
from fairlead.core.evidence.record import InvalidRecord, dump_policy, dump_state, load_policy, load_state
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import Stage, State
from fairlead.core.evidence.weighing import has_enough, split_alpha, weigh
from fairlead.core.rollout.checks import Action, Facts, Judgement, Opinion, gather_facts, hard_fail, sure_fail
from fairlead.core.rollout.decide import Verdict, make_verdict
from fairlead.core.rollout.live import WRITTEN_EVERY, make_record, rounded

STALE_SECONDS = 30.0
"""For how long a gateway may have nothing new: without a suspicion it is asked every ten seconds."""
FIRST_SECONDS = 30.0
"""For how long nobody may ask for anything before it counts as ready all the same: whoever waits for it to be ready
before sending users there would wait for ever."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A probation as a decision needs it."""

    revision: str
    policy: Policy
    state: State
    since: datetime
    settled: bool = False
    """Whether its first requests kept the limits, or none came for a while; it stays so until a verdict."""
    verdict: Verdict | None = None
    """That of the last look; None before the first."""
    record: str = ""
    """The last look as JSON, when it has failed: what `fairlead replay` reads."""

    @property
    def name(self) -> str:
        """Tells this one from every other one, and from a rollout, of the ModelDeployment."""
        return f"{self.revision}@{self.since.isoformat()} on probation"

    @property
    def facts(self) -> Facts:
        """What the checks of a rollout look at."""
        return _facts(self.policy, self.state)

    @property
    def failed(self) -> Verdict | None:
        """The last look's verdict, when that says for sure that a limit is not kept."""
        verdict = self.verdict
        return verdict if verdict and verdict.judgement is Judgement.FAIL and verdict.acts else None

    @property
    def suspect(self) -> bool:
        """Whether it breaks its limits on the whole: it is looked at every second then, until that is sure or over."""
        policy, seen = self.policy, self.state.step_count
        too_slow = policy.max_slow_rate is not None and seen.slow > policy.max_slow_rate * seen.attempts
        return too_slow or seen.failures > policy.max_error_rate * seen.attempts

    @property
    def urgent(self) -> bool:
        """Whether it is looked at every second."""
        return self.suspect or not self.settled

    @property
    def until(self) -> datetime:
        """When it has had its time; the requests that it needs may take longer."""
        return self.since + timedelta(seconds=self.policy.guard_seconds)

    def is_over(self, now: datetime) -> bool:
        """Whether it has shown enough and kept its limits, or that could not be said for too long."""
        waited = (now - self.since).total_seconds() >= self.policy.hold_deadline_seconds
        return waited or (has_enough(self.policy, self.state) and not self.suspect)

    def has_settled(self, now: datetime) -> bool:
        """Whether users may count on it: by what the first of them saw, or for want of any. A suspicion that stays one
        is no verdict, and holds it back no longer than its time."""
        if self.settled or now >= max(self.until, self.since + timedelta(seconds=FIRST_SECONDS)):
            return True
        enough = self.state.step_count.attempts >= self.policy.requests_needed(self.state.step)
        return not self.suspect and (enough or (now - self.since).total_seconds() >= FIRST_SECONDS)

    def describe_unsettled(self) -> str:
        """What it lacks before users can count on it."""
        seen = "more of its first requests failed than may" if self.suspect else "its first requests are waited for"
        return f"revision {self.revision} answers, and {seen}"

    def describe(self) -> str:
        """What was seen, in a sentence with the numbers."""
        count, facts = self.state.step_count, self.facts
        return (
            f"{count.failures} of {count.attempts} requests failed; evidence {facts.sure:.3g} "
            f"(fails at {facts.roll_back_at:.3g})"
        )


def _facts(policy: Policy, state: State) -> Facts:
    return gather_facts(policy, state, ejected=False)


def limits_alone(policy: Policy) -> Policy:
    """The rules of a rollout, less everything that compares: no steps, no share for another one."""
    return replace(
        policy, steps_percent=(100.0,), needs=(), random_arms=False, control_percent=0.0, shadow=None, canary=True
    )


def begin_trial(revision: str, policy: Policy, now: datetime) -> Trial:
    """From the moment at which it gets all of the traffic."""
    rules = limits_alone(policy)
    return Trial(revision, rules, begin_alone(rules), now, settled=rules.mode is not Mode.ENFORCE)


def begin_alone(policy: Policy) -> State:
    """The state before the first look."""
    return State(weight_percent=100.0, stage=Stage.GUARD, step=1, tests=split_alpha(policy))


def decide_alone(policy: Policy, state: State, sample: Sample) -> tuple[State, Verdict]:
    """One look: (policy, state, sample) -> (state, verdict). The weight never moves: nobody else could have it.

    The same arguments give the same result, bit for bit.
    """
    after = weigh(policy, state, sample)
    facts = _facts(policy, after)
    found = sure_fail(facts) or hard_fail(facts)
    judgement, reason = (Judgement.FAIL, found.reason) if found else (Judgement.UNKNOWN, Reason.ON_PROBATION)
    opinion = Opinion(judgement, Action.HOLD, reason)
    return after, make_verdict(facts, opinion, after, acts=not found or policy.mode is Mode.ENFORCE)


def settle(trial: Trial, now: datetime) -> Trial:
    """With what the requests so far, or their absence, say of it."""
    return replace(trial, settled=trial.has_settled(now))


def look_alone(trial: Trial, sample: Sample) -> Trial:
    """After one look at the gateways."""
    state, verdict = decide_alone(trial.policy, trial.state, sample)
    after = replace(trial, state=state, verdict=verdict)
    if after.failed is None:
        return after
    text = make_record(probation=True, policy=trial.policy, state=trial.state, sample=sample, verdict=verdict)
    return replace(after, record=text)


def parse_trial(told: Probation, remembered: Remembered | None) -> Trial | None:
    """The one that the status speaks of, with what the operator knows beyond it; None when it cannot be read."""
    try:
        found = Trial(told.revision, load_policy(told.policy), load_state(told.state), told.since, told.settled)
    except (InvalidRecord, InvalidPolicy):
        return None
    if remembered is None or remembered.rollout != found.name:
        return found
    newer = remembered.state.clock_seconds > found.state.clock_seconds
    return replace(found, state=remembered.state) if newer else found


def show_trial(trial: Trial, stored: Probation | None, now: datetime) -> Probation:
    """What the status says: as stored until there are new requests and it is time again, or a suspicion."""
    count, facts = trial.state.step_count, trial.facts
    words = (trial.revision, trial.since, trial.suspect, trial.settled)
    same = stored is not None and (stored.revision, stored.since, stored.suspect, stored.settled) == words
    if stored and same and (stored.requests == count.attempts or now - stored.updated < WRITTEN_EVERY):
        return stored
    return Probation(
        revision=trial.revision,
        since=trial.since,
        until=trial.until,
        updated=now,
        requests=count.attempts,
        failures=count.failures,
        suspect=trial.suspect,
        settled=trial.settled,
        needed_requests=trial.policy.requests_needed(trial.state.step),
        sure=rounded(facts.sure),
        fails_at=rounded(facts.roll_back_at),
        policy=dump_policy(trial.policy),
        state=dump_state(trial.state),
    )
