"""What the evidence means: an ordered list of small checks, the first that speaks decides.

Each takes the policy and the state after a sample, and returns an opinion or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from fairlead.api.reasons import Reason
from fairlead.core.evidence.policy import Mode, Policy
from fairlead.core.evidence.sample import STALE_SECONDS
from fairlead.core.evidence.state import Kind, Stage, State
from fairlead.core.evidence.weighing import (
    FIRST_ATTEMPTS,
    awaits_approval,
    fast_evidence,
    has_enough,
    sure_evidence,
)
from fairlead.core.rollout.orders import NO_ORDERS, Orders

SURE_ALPHA_SHARE = 0.5
"""What the sure process gets of alpha; hard fails and second unshielded brakes live on the other half."""
MAX_RESUMES = 3
"""How often a braked candidate is tried again."""
OVERLOADED_SHARE = 0.05
HARD_FAIL_LOOKS = 2
"""Looks that a hard fail must span, so that one burst of retries at the very start is not one."""
UNHEALTHY_REQUESTS = 20.0
"""Recent stable requests below which stable is not called unhealthy."""


class Judgement(StrEnum):
    """The three-valued verdict."""

    PASS = "pass"  # noqa: S105 -- a word, not a secret
    FAIL = "fail"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What follows for the traffic."""

    HOLD = "hold"
    ADVANCE = "advance"
    FINISH = "finish"
    BRAKE = "brake"
    RESUME = "resume"
    OPEN_CONTROL = "openControl"
    ROLL_BACK = "rollBack"
    GIVE_UP = "giveUp"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a check found."""

    judgement: Judgement
    action: Action
    reason: Reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks look at."""

    policy: Policy
    state: State
    ejected: bool
    fast: float
    sure: float
    orders: Orders = NO_ORDERS
    stale_seconds: float = STALE_SECONDS
    """How long the source of the evidence may have nothing new."""

    @property
    def brake_at(self) -> float:
        """The fast evidence that brakes, or holds a shadow; twice as much after every time."""
        return 2.0**self.state.brakes / self.policy.stage_alpha

    @property
    def roll_back_at(self) -> float:
        """The sure evidence that rolls back."""
        return 1.0 / (self.policy.stage_alpha * SURE_ALPHA_SHARE)

    @property
    def alone(self) -> bool:
        """Nothing of stable's traffic is left to compare with."""
        return self.state.weight_percent >= 100.0

    @property
    def suspected(self) -> bool:
        """A shadow that looks worse, though that is not sure. Where verdicts are told only, it holds nothing."""
        return self.state.stage is Stage.SHADOW and self.fast >= self.brake_at and self.policy.mode is Mode.ENFORCE

    @property
    def worst(self) -> Reason:
        """The test that has won most, as a reason."""
        top = max(self.state.tests, key=lambda test: test.share * max(*test.capital.fast, *test.capital.sure))
        return _REASONS[top.kind]


_REASONS = {
    Kind.ERRORS_RELATIVE: Reason.ERRORS_ABOVE_STABLE,
    Kind.ERRORS_ABSOLUTE: Reason.ERRORS_ABOVE_LIMIT,
    Kind.LATENCY_RELATIVE: Reason.LATENCY_ABOVE_STABLE,
    Kind.LATENCY_ABSOLUTE: Reason.LATENCY_ABOVE_LIMIT,
}


def gather_facts(
    policy: Policy,
    state: State,
    *,
    ejected: bool,
    orders: Orders = NO_ORDERS,
    stale_seconds: float = STALE_SECONDS,
) -> Facts:
    """The facts of a state."""
    return Facts(policy, state, ejected, fast_evidence(state), sure_evidence(state), orders, stale_seconds)


def paused(facts: Facts) -> Opinion | None:
    """Its owner wants to have a look. The gateways go on shielding users by themselves."""
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.PAUSED) if facts.orders.paused else None


def frozen(facts: Facts) -> Opinion | None:
    """The cluster's administrator has stopped every rollout."""
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.ROLLOUTS_FROZEN) if facts.orders.frozen else None


def ended(facts: Facts) -> Opinion | None:
    """The rollout is over; nothing changes any more."""
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.SERVING) if facts.state.stage is Stage.ENDED else None


def sure_fail(facts: Facts) -> Opinion | None:
    """Worse, and that is sure. Without stable traffic beside it, a fail first opens a control share."""
    if facts.sure < facts.roll_back_at:
        return None
    action = Action.OPEN_CONTROL if facts.alone else Action.ROLL_BACK
    return Opinion(Judgement.FAIL, action, facts.worst)


def hard_fail(facts: Facts) -> Opinion | None:
    """Nothing of what it was ever asked has worked, while stable works."""
    first, recent = facts.state.first_count, facts.state.recent
    if first.attempts < FIRST_ATTEMPTS or first.failures < first.attempts or first.looks < HARD_FAIL_LOOKS:
        return None
    if not facts.alone and 2.0 * recent.stable_failures >= recent.stable_attempts:
        return None
    return Opinion(Judgement.FAIL, Action.ROLL_BACK, Reason.EVERY_REQUEST_FAILED)


def fast_fail(facts: Facts) -> Opinion | None:
    """Worse by all appearances: brake, then decide. Where users are not shielded, the second time is the last."""
    state = facts.state
    if state.stage in (Stage.SHADOW, Stage.BRAKED, Stage.COOLING):
        return None
    if facts.fast < facts.brake_at and not facts.ejected:
        return None
    reason = facts.worst if facts.fast >= facts.brake_at else Reason.CANDIDATE_EJECTED
    if facts.alone:
        return Opinion(Judgement.FAIL, Action.OPEN_CONTROL, reason)
    if not facts.policy.failover and state.strikes:
        return Opinion(Judgement.FAIL, Action.ROLL_BACK, reason)
    return Opinion(Judgement.FAIL, Action.BRAKE, reason)


def waited_too_long(facts: Facts) -> Opinion | None:
    """The deadline of all holds."""
    if facts.state.waited_seconds < facts.policy.hold_deadline_seconds:
        return None
    return Opinion(Judgement.UNKNOWN, Action.GIVE_UP, Reason.ANALYSIS_INCONCLUSIVE)


def blind(facts: Facts) -> Opinion | None:
    """No gateway has said anything new."""
    if facts.state.blind_seconds <= facts.stale_seconds:
        # At the very first look nobody can have said anything.
        return None if facts.state.gateways else Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.TOO_FEW_REQUESTS)
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.NO_EVIDENCE)


def cooling(facts: Facts) -> Opinion | None:
    """Braked to nothing: the first step is tried once more after a while."""
    state = facts.state
    if state.stage is not Stage.COOLING:
        return None
    over = state.observed_seconds - state.since_seconds >= facts.policy.cooldown_seconds
    return Opinion(Judgement.UNKNOWN, Action.RESUME if over else Action.HOLD, Reason.COOLING_DOWN)


def stable_unhealthy(facts: Facts) -> Opinion | None:
    """Stable itself does not keep the limits: nobody can be judged by them now."""
    policy, recent = facts.policy, facts.state.recent
    limits = [(recent.stable_failures, recent.stable_attempts, policy.max_error_rate)]
    if policy.max_slow_rate is not None:
        limits.append((recent.stable_slow, recent.stable_timed, policy.max_slow_rate))
    if all(of < UNHEALTHY_REQUESTS or hits <= limit * of for hits, of, limit in limits):
        return None
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.STABLE_UNHEALTHY)


def overloaded(facts: Facts) -> Opinion | None:
    """The candidate turns requests away: it is too small for its share, which says nothing about the model."""
    recent = facts.state.recent
    if recent.overloaded <= OVERLOADED_SHARE * recent.attempts:
        return None
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.CANDIDATE_OVERLOADED)


def braked(facts: Facts) -> Opinion | None:
    """At the probe weight, or a shadow, which has no weight to lose: until enough requests in a row were clean."""
    state = facts.state
    if state.stage is not Stage.BRAKED and not facts.suspected:
        return None
    if state.brakes > MAX_RESUMES or state.clean_count.attempts < facts.policy.requests_needed(state.step):
        return Opinion(Judgement.UNKNOWN, Action.HOLD, facts.worst if facts.suspected else Reason.BRAKED)
    return Opinion(Judgement.UNKNOWN, Action.RESUME, Reason.CLEAN_AGAIN)


def thin(facts: Facts) -> Opinion | None:
    """Too few requests, or too early, to pass the step."""
    if has_enough(facts.policy, facts.state):
        return None
    reason = Reason.GUARDED if facts.state.stage is Stage.GUARD else Reason.TOO_FEW_REQUESTS
    return Opinion(Judgement.UNKNOWN, Action.HOLD, reason)


def awaiting_approval(facts: Facts) -> Opinion | None:
    """The step has what it needs, and its owner wants to be asked."""
    if not awaits_approval(facts.policy, facts.state):
        return None
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.AWAITING_APPROVAL)


def scaling(facts: Facts) -> Opinion | None:
    """The step has passed, and the pods for a greater weight are on their way."""
    if facts.orders.scaled or facts.state.stage is Stage.GUARD:
        return None
    return Opinion(Judgement.UNKNOWN, Action.HOLD, Reason.SCALING)


def step_passed(facts: Facts) -> Opinion | None:
    """Enough seen, and nothing against it."""
    action = Action.FINISH if facts.state.stage is Stage.GUARD else Action.ADVANCE
    return Opinion(Judgement.PASS, action, Reason.STEP_PASSED)


CHECKS: tuple[Callable[[Facts], Opinion | None], ...] = (
    ended,
    paused,
    frozen,
    sure_fail,
    hard_fail,
    fast_fail,
    waited_too_long,
    blind,
    cooling,
    stable_unhealthy,
    overloaded,
    braked,
    thin,
    awaiting_approval,
    scaling,
    step_passed,
)


def judge(facts: Facts) -> Opinion:
    """The opinion of the first check that has one."""
    for check in CHECKS:
        opinion = check(facts)
        if opinion is not None:
            return opinion
    raise AssertionError("the last check always has an opinion")
