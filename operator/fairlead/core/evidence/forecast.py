"""What to expect: how long until a step has its requests, and how soon a worse version would be noticed."""

from dataclasses import dataclass
from math import exp, log

from fairlead.core.evidence.betting import FAST, START, Form, factor
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.state import Stage, State
from fairlead.core.evidence.tally import relative

_LIKELY = 1e-6
_MOST = 60
_WORSE = 3.0


@dataclass(frozen=True, slots=True)
class Power:
    """How soon a version that fails this share of its requests would be braked, from now on."""

    bad: float
    seconds: float


def power(policy: Policy, state: State) -> Power | None:
    """Of a version three times as bad as stable is, or may be, at the traffic of the last minute. None without traffic,
    without a stable beside it, or where the comparison would not find it."""
    recent = state.recent
    total = recent.attempts + recent.stable_attempts
    if state.stage not in (Stage.CANARY, Stage.GUARD) or min(recent.attempts, recent.stable_attempts) < 1.0:
        return None
    good = recent.stable_failures / recent.stable_attempts
    bad = min(1.0, _WORSE * max(good, policy.max_error_rate))
    seconds = brake_seconds(policy, recent.attempts / total, total / recent.seconds, bad, good)
    return None if seconds is None else Power(bad, seconds)


def eta_seconds(policy: Policy, state: State) -> float | None:
    """Until the candidate has had the requests that it needs here, at the rate of the last minute."""
    count = state.clean_count if state.stage is Stage.BRAKED else state.step_count
    missing = policy.requests_needed(state.step) - count.attempts
    if missing <= 0:
        return 0.0
    if state.recent.attempts < 1.0 or state.recent.seconds <= 0.0:
        return None
    return missing * state.recent.seconds / state.recent.attempts


def _poisson(mean: float) -> list[float]:
    chances = [exp(-mean)]
    while len(chances) < _MOST and (len(chances) <= mean or chances[-1] > _LIKELY):
        chances.append(chances[-1] * mean / len(chances))
    return chances


def _growth(form: Form, candidate: float, stable: float, bad: float, good: float) -> float:
    """Mean log growth of the capital in one second, at so many requests a second and such failure rates."""
    weight = candidate / (candidate + stable)
    total = 0.0
    for hits, likely in enumerate(_poisson(candidate * bad)):
        for other, as_likely in enumerate(_poisson(stable * good)):
            tally = relative(
                max(round(candidate), hits), max(round(stable), other), hits, other, weight=weight, floor=0.0
            )
            total += likely * as_likely * log(factor(form, tally))
    return total


def brake_seconds(policy: Policy, weight: float, requests_per_second: float, bad: float, good: float) -> float | None:
    """About how long a version that fails `bad` of its requests would live before the brake, beside a stable that
    fails `good`; None when the comparison would not find it. More than some twenty
    failures a second are not counted out, so at high rates the truth is shorter."""
    share = 0.8 if policy.max_slow_rate is None else 0.4
    candidate = min(requests_per_second * weight, _MOST / 3 / max(bad, 1e-9))
    stable = requests_per_second * (1.0 - weight) * candidate / (requests_per_second * weight)
    waits = []
    for form in FAST:
        growth = _growth(form, candidate, stable, bad, good)
        if growth > 0.0:
            waits.append(max(1.0, log(1.0 / (policy.stage_alpha * share * form.prior * START)) / growth))
    return min(waits, default=None)
