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
from fairlead.core.rollout.checks import Facts, gather_facts, hard_fail, sure_fail
from fairlead.core.rollout.live import WRITTEN_EVERY, rounded

STALE_SECONDS = 30.0
"""For how long a gateway may have nothing new: without a suspicion it is asked every ten seconds."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A probation as a decision needs it."""

    revision: str
    policy: Policy
    state: State
    since: datetime

    @property
    def name(self) -> str:
        """Tells this one from every other one, and from a rollout, of the ModelDeployment."""
        return f"{self.revision}@{self.since.isoformat()} on probation"

    @property
    def facts(self) -> Facts:
        """What the checks of a rollout look at."""
        return gather_facts(self.policy, self.state, ejected=False)

    @property
    def broken(self) -> Reason | None:
        """The limit that it does not keep, when that is sure."""
        found = sure_fail(self.facts) or hard_fail(self.facts)
        return found.reason if found and self.policy.mode is Mode.ENFORCE else None

    @property
    def suspect(self) -> bool:
        """Whether it breaks its limits on the whole: it is looked at every second then, until that is sure or over."""
        policy, seen = self.policy, self.state.step_count
        too_slow = policy.max_slow_rate is not None and seen.slow > policy.max_slow_rate * seen.attempts
        return too_slow or seen.failures > policy.max_error_rate * seen.attempts

    @property
    def until(self) -> datetime:
        """When it has had its time; the requests that it needs may take longer."""
        return self.since + timedelta(seconds=self.policy.guard_seconds)

    def is_over(self, now: datetime) -> bool:
        """Whether it has shown enough and kept its limits, or that could not be said for too long."""
        waited = (now - self.since).total_seconds() >= self.policy.hold_deadline_seconds
        return waited or (has_enough(self.policy, self.state) and not self.suspect)

    def describe(self) -> str:
        """What was seen, in a sentence with the numbers."""
        count, facts = self.state.step_count, self.facts
        return (
            f"{count.failures} of {count.attempts} requests failed; evidence {facts.sure:.3g} "
            f"(fails at {facts.roll_back_at:.3g})"
        )


def limits_alone(policy: Policy) -> Policy:
    """The rules of a rollout, less everything that compares: no steps, no share for another one."""
    return replace(
        policy, steps_percent=(100.0,), needs=(), random_arms=False, control_percent=0.0, shadow=None, canary=True
    )


def begin_trial(revision: str, policy: Policy, now: datetime) -> Trial:
    """From the moment at which it gets all of the traffic."""
    rules = limits_alone(policy)
    state = State(weight_percent=100.0, stage=Stage.GUARD, step=1, tests=split_alpha(rules))
    return Trial(revision, rules, state, now)


def look_alone(trial: Trial, sample: Sample) -> Trial:
    """After one look at the gateways."""
    return replace(trial, state=weigh(trial.policy, trial.state, sample))


def parse_trial(told: Probation, remembered: Remembered | None) -> Trial | None:
    """The one that the status speaks of, with what the operator knows beyond it; None when it cannot be read."""
    try:
        found = Trial(told.revision, load_policy(told.policy), load_state(told.state), told.since)
    except (InvalidRecord, InvalidPolicy):
        return None
    if remembered is None or remembered.rollout != found.name:
        return found
    newer = remembered.state.clock_seconds > found.state.clock_seconds
    return replace(found, state=remembered.state) if newer else found


def show_trial(trial: Trial, stored: Probation | None, now: datetime) -> Probation:
    """What the status says: as stored until there are new requests and it is time again, or a suspicion."""
    count, facts = trial.state.step_count, trial.facts
    words = (trial.revision, trial.since, trial.suspect)
    same = stored is not None and (stored.revision, stored.since, stored.suspect) == words
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
        needed_requests=trial.policy.requests_needed(trial.state.step),
        sure=rounded(facts.sure),
        fails_at=rounded(facts.roll_back_at),
        policy=dump_policy(trial.policy),
        state=dump_state(trial.state),
    )
