"""The product's decision function for many rollouts at once, one gateway, one look a second.

Only for speed: `tests/property/core/test_evidence_twin.py` holds it to the product's verdicts, look by look.
"""

from dataclasses import dataclass

import numpy as np

from fairlead.core.evidence import betting, weighing
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.state import Kind
from fairlead.core.evidence.tally import ENOUGH_PER_ARM
from fairlead.core.rollout import checks
from tests.bench.evidence.streams import Counts, Floats, Second, Which

CANARY, BRAKED, COOLING, GUARD, ENDED = range(5)
LONG_LOOKS = 4
Tallies = tuple[Floats, Floats, Floats, Floats, Floats]


def _relative(n: Counts, other_n: Counts, hits: Counts, other: Counts, *, weight: Floats, floor: Floats) -> Tallies:
    failed, total = hits + other, n + other_n
    table = total * np.minimum(weight, 1 - weight) >= ENOUGH_PER_ARM
    low = np.where(table, np.maximum(0, failed - other_n), 0.0)
    high = np.where(table, np.minimum(failed, n), failed)
    share = np.maximum(np.where(table, n / np.maximum(total, 1), weight), floor)
    return hits * 1.0, failed * 1.0, np.minimum(np.maximum(share * failed, low), high), low, high


def _factor(form: betting.Form, tally: Tallies) -> Floats:
    hits, trials, expected, low, high = tally
    up, down = high - expected, expected - low
    open_ = (up > 0) & (down > 0)
    up, down = np.where(open_, up, 1.0), np.where(open_, down, 1.0)
    if form.burst:
        share = np.where(open_, expected / np.where(open_, trials, 1.0), 0.5)
        stakes = (form.stake, form.other_stake) if form.other_stake else (form.stake,)
        gains = [hits * np.log1p(s * (1 - share) / share) + (trials - hits) * np.log(1 - s) for s in stakes]
        grown = sum(np.exp(np.clip(g / form.burst, -betting.LARGEST_LOG_FACTOR, form.growth)) for g in gains)
        grown = grown / len(stakes)
    else:
        grown = 1 + np.minimum(form.stake / down, (np.exp(form.growth) - 1) / up) * (hits - expected)
    return np.where(open_, grown, 1.0)


@dataclass
class _Test:
    kind: Kind
    share: float
    fast: list[Floats]
    sure: list[Floats]
    long: Tallies


class Twin:
    """Arrays of one number per rollout."""

    def __init__(self, policy: Policy, runs: int, *, hard_fails: bool = True) -> None:
        self.policy, self.runs, self.look, self.hard_fails = policy, runs, 0, hard_fails
        zeros = np.zeros(runs)
        self.weight = np.full(runs, policy.steps_percent[0])
        self.stage = np.full(runs, CANARY)
        self.step, self.since = np.zeros(runs, int), zeros.copy()
        self.floor, self.floor_until = zeros.copy(), zeros.copy()
        self.brakes, self.strikes = np.zeros(runs, int), np.zeros(runs, int)
        self.step_n, self.clean_n, self.clean_k, self.clean_slow = (zeros.copy() for _ in range(4))
        self.first_n, self.first_k, self.first_looks = (zeros.copy() for _ in range(3))
        self.recent = {name: zeros.copy() for name in ("n", "stable", "failures", "timed", "slow")}
        self.tests = [
            _Test(
                test.kind,
                test.share,
                [np.full(runs, betting.START) for _ in range(2)],
                [np.full(runs, betting.START) for _ in range(2)],
                (zeros, zeros, zeros, zeros, zeros),
            )
            for test in weighing.split_alpha(policy)
        ]
        self.weights = np.array([*policy.steps_percent, policy.guard_percent])
        self.failed = zeros.copy()
        """Failed attempts of the candidate so far."""
        self.first_brake, self.first_resume, self.rolled_back, self.finished = (np.full(runs, np.inf) for _ in range(4))

    def _tally(self, test: _Test, new: Second, floor: Floats) -> Tallies:
        policy, recent, zero = self.policy, self.recent, np.zeros(self.runs)
        own = new.failures - new.shared
        weight = self.weight / 100
        match test.kind:
            case Kind.ERRORS_RELATIVE:
                return _relative(new.candidate, new.stable, own, new.stable_failures, weight=weight, floor=floor)
            case Kind.LATENCY_RELATIVE:
                return _relative(new.timed, new.stable_timed, new.slow, new.stable_slow, weight=weight, floor=floor)
            case Kind.ERRORS_ABSOLUTE:
                limit, hits, of = policy.max_error_rate, recent["failures"], recent["stable"]
                n, k = new.candidate, own
            case Kind.LATENCY_ABSOLUTE:
                limit, hits, of = policy.max_slow_rate or 1.0, recent["slow"], recent["timed"]
                n, k = new.timed, new.slow
        keeps = (self.weight >= 100) | (hits + 1 <= limit * (of + 1))
        attempts, failed = np.where(keeps, n, 0.0), np.where(keeps, k, 0.0)
        return failed, attempts, limit * attempts, zero, attempts

    def _bet(self, new: Second) -> tuple[Floats, Floats]:
        now = self.look
        floor = np.where(now <= self.floor_until, self.floor / 100, 0.0)
        close_long = now % LONG_LOOKS == 0
        long_since = now if close_long else now - now % LONG_LOOKS
        resting = (self.stage == BRAKED) | (self.stage == COOLING)
        inflow = betting.invested(now) - betting.invested(now - 1)
        fast, sure = np.zeros(self.runs), np.zeros(self.runs)
        for test in self.tests:
            tally = self._tally(test, new, floor)
            test.long = tuple(a + b for a, b in zip(test.long, tally, strict=True))  # type: ignore[assignment]
            by_limit = (self.weight <= betting.SHARED_PERCENT) & (test.kind not in weighing.COMPARISONS)
            for i, (form, limited) in enumerate(zip(betting.FAST, betting.FAST_BY_LIMIT, strict=True)):
                factor = np.where(by_limit, _factor(limited, tally), _factor(form, tally))
                value = np.minimum(betting.RICHEST, (test.fast[i] + betting.BRAKE_INFLOW_PER_SECOND) * factor)
                test.fast[i] = np.where(resting, test.fast[i], value)
            test.sure[0] = np.minimum(betting.RICHEST, (test.sure[0] + inflow) * _factor(betting.SURE_SHORT, tally))
            if close_long:
                entered = betting.invested(now) - betting.invested(now - LONG_LOOKS)
                grown = (test.sure[1] + entered) * _factor(betting.SURE_LONG, test.long)
                test.sure[1] = np.minimum(betting.RICHEST, grown)
                test.long = tuple(np.zeros(self.runs) for _ in range(5))  # type: ignore[assignment]
            fast = fast + test.share * sum(f.prior * s for f, s in zip(betting.FAST, test.fast, strict=True))
            short = test.sure[0] + 1 - betting.invested(now)
            long = test.sure[1] + 1 - betting.invested(long_since)
            sure = sure + test.share * (betting.SURE_SHORT.prior * short + betting.SURE_LONG.prior * long)
        return fast, sure

    def _count(self, new: Second) -> None:
        keep, own = 1 - 1 / weighing.RECENT_SECONDS, new.failures - new.shared
        for name, more in (
            ("n", new.candidate),
            ("stable", new.stable),
            ("failures", new.stable_failures),
            ("timed", new.stable_timed),
            ("slow", new.stable_slow),
        ):
            self.recent[name] = self.recent[name] * keep + more
        first = self.first_n == self.first_k
        self.first_n += np.where(first, new.candidate, 0)
        self.first_k += np.where(first, own, 0)
        self.first_looks += first & (new.candidate > 0)
        self.step_n += new.candidate
        self.failed += np.where(self.stage == ENDED, 0, new.failures)
        braked = self.stage == BRAKED
        policy = self.policy
        self.clean_n += np.where(braked, new.candidate, 0)
        self.clean_k += np.where(braked, own, 0)
        self.clean_slow += np.where(braked, new.slow, 0)
        slow_allowed = weighing.SLOW_SLACK * (policy.max_slow_rate or 1.0) * policy.needed_requests
        burst = (self.clean_k > policy.max_error_rate * policy.needed_requests) | (self.clean_slow > slow_allowed)
        for count in (self.clean_n, self.clean_k, self.clean_slow):
            count[burst] = 0

    def _move(self, which: Which, stage: int, weight: Floats | float) -> None:
        if not which.any():
            return
        lower = which & (weight < self.weight)
        before = np.where(self.look <= self.floor_until, self.floor, 0.0)
        self.floor = np.where(lower, np.maximum(self.weight, before), self.floor)
        self.floor_until = np.where(lower, self.look + self.policy.attempt_timeout_seconds, self.floor_until)
        self.stage[which] = stage
        self.weight = np.where(which, weight, self.weight)
        self.since[which] = self.look
        for count in (self.step_n, self.clean_n, self.clean_k, self.clean_slow):
            count[which] = 0

    def _unhealthy(self) -> Which:
        recent, least = self.recent, checks.UNHEALTHY_REQUESTS
        bad = (recent["stable"] >= least) & (recent["failures"] > self.policy.max_error_rate * recent["stable"])
        if self.policy.max_slow_rate is not None:
            bad |= (recent["timed"] >= least) & (recent["slow"] > self.policy.max_slow_rate * recent["timed"])
        return bad

    def step_on(self, new: Second) -> None:
        """One look at every rollout. No overload, no blindness, no ejection: those are tested on the product."""
        self.look += 1
        policy = self.policy
        self._count(new)
        fast, sure = self._bet(new)
        on = self.stage != ENDED
        resting = (self.stage == BRAKED) | (self.stage == COOLING)
        hard = (self.first_n >= weighing.FIRST_ATTEMPTS) & (self.first_k >= self.first_n)
        hard &= (
            self.hard_fails
            & (self.first_looks >= checks.HARD_FAIL_LOOKS)
            & (2 * self.recent["failures"] < self.recent["stable"])
        )
        brake = ~resting & (fast >= 2.0**self.brakes / policy.alpha)
        again = brake & (self.strikes > 0) & (not policy.failover)
        out = on & ((sure >= 1 / (policy.alpha * checks.SURE_ALPHA_SHARE)) | hard | again)
        brake &= on & ~out
        rest = on & ~out & ~brake
        cooled = rest & (self.stage == COOLING)
        over = cooled & (self.look - self.since >= policy.cooldown_seconds)
        rest &= ~cooled & ~self._unhealthy()
        held = rest & (self.stage == BRAKED)
        clean = held & (self.brakes <= checks.MAX_RESUMES) & (self.clean_n >= policy.needed_requests)
        rest &= ~held
        least = np.where(self.stage == GUARD, policy.guard_seconds, policy.min_step_seconds)
        passed = rest & (self.step_n >= policy.needed_requests) & (self.look - self.since >= least)
        stay = on & ~out & ~brake & ~over & ~clean & ~passed
        forgiven = stay & (self.stage == CANARY) & (self.step_n >= policy.needed_requests)
        self.strikes[forgiven] = 0
        self._act(out, brake, over | clean, passed)

    def _act(self, out: Which, brake: Which, resume: Which, passed: Which) -> None:
        policy, look = self.policy, self.look
        self.rolled_back[out] = look
        self._move(out, ENDED, 0.0)
        self.first_brake[brake & np.isinf(self.first_brake)] = look
        self.brakes += brake
        if policy.failover:
            self._move(brake, BRAKED, np.minimum(policy.probe_percent, self.weight))
        else:
            self.strikes += brake
            self.step[brake] = 0
            self._move(brake, COOLING, 0.0)
        self.first_resume[resume & np.isinf(self.first_resume)] = look
        for test in self.tests:
            for fast in test.fast:
                fast[resume] = betting.START
        steps = len(policy.steps_percent)
        done = passed & (self.stage == GUARD)
        self.finished[done] = look
        self._move(done, ENDED, 100.0)
        up = passed & ~done
        self.step += up
        self.strikes[up] = 0
        for which, stage in (
            ((resume | up) & (self.step < steps), CANARY),
            ((resume | up) & (self.step == steps), GUARD),
        ):
            self._move(which, stage, self.weights[self.step])
