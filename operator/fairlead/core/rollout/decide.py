"""The traffic part of a rollout: (policy, state, sample) -> (state, verdict). Start-up causes come before this."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fairlead.api.reasons import Reason
from fairlead.core.evidence.betting import START, Capital
from fairlead.core.evidence.forecast import eta_seconds
from fairlead.core.evidence.policy import SHADOW_STEP, Mode, Policy
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import Count, Kind, Stage, State, Test
from fairlead.core.evidence.weighing import split_alpha, weigh
from fairlead.core.rollout.checks import CHECKS, Action, Facts, Judgement, Opinion, gather_facts, judge, waited_too_long
from fairlead.core.rollout.orders import NO_ORDERS, Orders

PROBE_CONTROL_PERCENT = 5.0
"""What the previous revision gets when a revision that has all of the traffic is under suspicion."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, and every number behind it."""

    judgement: Judgement
    action: Action
    reason: Reason
    acts: bool
    """False: told only (mode observe)."""
    stage: Stage
    step: int
    weight_percent: float
    """The candidate's weight from now on."""
    fast: float
    brake_at: float
    sure: float
    roll_back_at: float
    requests: int
    """Candidate requests at this weight (or, of a braked one that is not rolled back, since its last burst of
    failures)."""
    failures: int
    needed_requests: int
    eta_seconds: float | None
    """Until the requests are there, at today's rate; None: no rate is known."""


def begin(policy: Policy) -> State:
    """The state of a rollout whose first step's weight, or whose shadow, has just been written."""
    if policy.shadow is None:
        return _first_step(policy)
    return State(weight_percent=0.0, stage=Stage.SHADOW, step=SHADOW_STEP, tests=split_alpha(policy))


def _first_step(policy: Policy) -> State:
    return State(weight_percent=policy.steps_percent[0], tests=split_alpha(policy))


def _after_shadow(policy: Policy, state: State) -> State:
    """The canary as if there had been no shadow. Copies and requests that users wait for are not the same experiment:
    no evidence and no count goes over, and the canary has its own part of alpha."""
    return replace(_first_step(policy), clock_seconds=state.clock_seconds)


def decide(policy: Policy, state: State, sample: Sample, orders: Orders = NO_ORDERS) -> tuple[State, Verdict]:
    """One look. The same arguments give the same result, bit for bit."""
    state = weigh(policy, state, sample, stopped=orders.stopped)
    if orders.approve:
        state = replace(state, approved=True)
    facts = gather_facts(policy, state, ejected=sample.ejected, orders=orders, stale_seconds=sample.stale_seconds)
    opinion = judge(facts)
    acts = policy.mode is Mode.ENFORCE or opinion.judgement is not Judgement.FAIL
    after = _MOVES[opinion.action](policy, state) if acts else _move_on(facts)
    return after, make_verdict(facts, opinion, after, acts=acts)


def make_verdict(facts: Facts, opinion: Opinion, after: State, *, acts: bool) -> Verdict:
    """An opinion with the numbers behind it; `after` is the state that follows."""
    state, policy = facts.state, facts.policy
    resting = state.stage is Stage.BRAKED and opinion.judgement is not Judgement.FAIL
    count = state.clean_count if resting else state.step_count
    return Verdict(
        judgement=opinion.judgement,
        action=opinion.action,
        reason=opinion.reason,
        acts=acts,
        stage=after.stage,
        step=after.step,
        weight_percent=after.weight_percent,
        fast=facts.fast,
        brake_at=facts.brake_at,
        sure=facts.sure,
        roll_back_at=facts.roll_back_at,
        requests=count.attempts,
        failures=count.failures,
        needed_requests=policy.requests_needed(state.step),
        eta_seconds=eta_seconds(policy, state),
    )


def _move_on(facts: Facts) -> State:
    """Mode observe: what the rollout does about everything but a fail."""
    rest = CHECKS[CHECKS.index(waited_too_long) :]
    opinion = next(opinion for check in rest if (opinion := check(facts)) is not None)
    return _MOVES[opinion.action](facts.policy, facts.state)


def _stay(policy: Policy, state: State) -> State:
    """Nothing changes; a clean step forgives an earlier unshielded brake."""
    if (
        state.strikes
        and state.stage is Stage.CANARY
        and state.step_count.attempts >= policy.requests_needed(state.step)
    ):
        return replace(state, strikes=0)
    return state


def _at(policy: Policy, state: State, stage: Stage, step: int, weight: float) -> State:
    """A new weight. While requests of a greater one may still complete, the expectation does not fall below it."""
    floor, until = state.floor_percent, state.floor_until_seconds
    if weight < state.weight_percent:
        now = state.observed_seconds
        floor = max(state.weight_percent, floor if now <= until else 0.0)
        until = now + policy.attempt_timeout_seconds
    return replace(
        state,
        stage=stage,
        step=step,
        weight_percent=weight,
        floor_percent=floor,
        floor_until_seconds=until,
        since_seconds=state.observed_seconds,
        waited_seconds=0.0,
        approved=False,
        step_count=Count(),
        clean_count=Count(),
    )


def _weight_of(policy: Policy, step: int) -> float:
    return policy.steps_percent[step] if step < len(policy.steps_percent) else policy.guard_percent


def _advance(policy: Policy, state: State) -> State:
    if state.stage is Stage.SHADOW:
        return _after_shadow(policy, state) if policy.canary else _finish(policy, state)
    step = state.step + 1
    stage = Stage.GUARD if step == len(policy.steps_percent) else Stage.CANARY
    state = replace(state, strikes=0)
    return _at(policy, state, stage, step, _weight_of(policy, step))


def _finish(policy: Policy, state: State) -> State:
    return _at(policy, state, Stage.ENDED, state.step, 100.0)


def _brake(policy: Policy, state: State) -> State:
    state = replace(state, brakes=state.brakes + 1)
    if policy.failover:
        probe = min(policy.probe_percent, state.weight_percent)
        return _at(policy, state, Stage.BRAKED, state.step, probe)
    return _at(policy, replace(state, strikes=state.strikes + 1), Stage.COOLING, 0, 0.0)


def _resume(policy: Policy, state: State) -> State:
    """Back to the last step (after cooling: the first), the fast process anew; the sure one is never reset. A shadow
    was nowhere else meanwhile, and keeps what it has shown."""
    if state.stage is Stage.SHADOW:
        return replace(_fast_anew(state), brakes=state.brakes + 1, clean_count=Count())
    guard = state.step == len(policy.steps_percent)
    stage = Stage.GUARD if guard else Stage.CANARY
    return _at(policy, _fast_anew(state), stage, state.step, _weight_of(policy, state.step))


def _fast_anew(state: State) -> State:
    tests = tuple(replace(one, capital=replace(one.capital, fast=(START, START))) for one in state.tests)
    return replace(state, tests=tests)


def _open_control(policy: Policy, state: State) -> State:
    """Everything went to this revision: the one before gets a little, and what the limits alone have said is put to
    the comparison anew, because a shared outage looks the same."""

    def anew(one: Test) -> Test:
        limits = one.kind in (Kind.ERRORS_ABSOLUTE, Kind.LATENCY_ABSOLUTE)
        return Test(one.kind, one.share, Capital() if limits else replace(one.capital, fast=(START, START)))

    state = replace(state, tests=tuple(anew(one) for one in state.tests))
    return _at(policy, state, state.stage, state.step, 100.0 - PROBE_CONTROL_PERCENT)


def _roll_back(policy: Policy, state: State) -> State:
    return _at(policy, state, Stage.ENDED, state.step, 0.0)


def _give_up(policy: Policy, state: State) -> State:
    """Back to stable; but a revision that has passed every step and lacks only its guard stays."""
    return _finish(policy, state) if state.stage is Stage.GUARD else _roll_back(policy, state)


_MOVES: dict[Action, Callable[[Policy, State], State]] = {
    Action.HOLD: _stay,
    Action.ADVANCE: _advance,
    Action.FINISH: _finish,
    Action.BRAKE: _brake,
    Action.RESUME: _resume,
    Action.OPEN_CONTROL: _open_control,
    Action.ROLL_BACK: _roll_back,
    Action.GIVE_UP: _give_up,
}


def promote_now(policy: Policy, state: State) -> State:
    """Somebody wants it, whatever the evidence: the guard, and in the guard the end of it."""
    guard = len(policy.steps_percent)
    if state.step >= guard or not policy.canary:
        return _finish(policy, state)
    if state.stage is Stage.SHADOW:
        state = _after_shadow(policy, state)
    return _at(policy, replace(state, strikes=0), Stage.GUARD, guard, policy.guard_percent)
