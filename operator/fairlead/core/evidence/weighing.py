"""One sample in, the state's numbers brought up to date. What they mean is decided in `core/rollout/checks.py`."""

from collections.abc import Iterable
from dataclasses import replace

from fairlead.core.evidence.betting import (
    BRAKE_INFLOW_PER_SECOND,
    FAST,
    FAST_BY_LIMIT,
    LONG_SECONDS,
    SHARED_PERCENT,
    SHORT_SECONDS,
    TOLERANCE,
    Capital,
    advance_long,
    advance_short,
    fast_value,
    invested,
    sure_value,
)
from fairlead.core.evidence.counting import Look, absorb
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.sample import STALE_SECONDS, Sample
from fairlead.core.evidence.state import Count, Kind, Recent, Stage, State, Test
from fairlead.core.evidence.tally import NOTHING, Tally, absolute, relative

_Open = tuple[float, float]
"""When the short and the long window that are open began."""

CLOCK_JUMP_SECONDS = 60.0
"""A look that is earlier by more than this comes from another clock (a new leader); by less, it is out of order."""
RECENT_SECONDS = 60.0
FIRST_ATTEMPTS = 10
"""Attempts from the very first on that must all fail for a hard fail."""
SLOW_SLACK = 2.0
"""A version right at its latency limit must be able to resume: it may be this many times above it in one round."""
COMPARISONS = (Kind.ERRORS_RELATIVE, Kind.LATENCY_RELATIVE)
"""The tests that compare with stable; the others hold the candidate to a limit."""
_RELATIVE_SHARE = 0.8
"""What the comparison with stable gets of alpha; the limits get the rest."""


def split_alpha(policy: Policy) -> tuple[Test, ...]:
    """The tests of a policy, each with its part of alpha."""
    relative_share = _RELATIVE_SHARE if policy.random_arms else 0.0
    half = 1.0 if policy.max_slow_rate is None else 0.5
    shares = [(Kind.ERRORS_RELATIVE, half * relative_share), (Kind.ERRORS_ABSOLUTE, half * (1.0 - relative_share))]
    if policy.max_slow_rate is not None:
        shares.append((Kind.LATENCY_RELATIVE, half * relative_share))
        shares.append((Kind.LATENCY_ABSOLUTE, half * (1.0 - relative_share)))
    return tuple(Test(kind, share, Capital()) for kind, share in shares if share)


def _elapsed(state: State, sample: Sample) -> tuple[float, float]:
    """(clock to keep, seconds since the last look). Time never runs backwards."""
    gap = sample.at_seconds - state.clock_seconds
    if gap < 0.0:
        return (sample.at_seconds if gap < -CLOCK_JUMP_SECONDS else state.clock_seconds), 0.0
    return sample.at_seconds, (gap if state.clock_seconds else 0.0)


def _recent(recent: Recent, looks: Iterable[Look], seconds: float) -> Recent:
    keep = 1.0 - min(1.0, seconds / RECENT_SECONDS)
    attempts, overloaded = recent.attempts * keep, recent.overloaded * keep
    stable_attempts, stable_failures = recent.stable_attempts * keep, recent.stable_failures * keep
    stable_timed, stable_slow = recent.stable_timed * keep, recent.stable_slow * keep
    for look in looks:
        attempts += look.candidate.attempts
        overloaded += look.candidate.overloaded
        stable_attempts += look.stable.attempts
        stable_failures += look.stable.failures
        stable_timed += look.stable.timed
        stable_slow += look.stable.slow
    return Recent(
        recent.seconds * keep + seconds,
        attempts,
        overloaded,
        stable_attempts,
        stable_failures,
        stable_timed,
        stable_slow,
    )


def stable_keeps(hits: float, of: float, limit: float, policy: Policy) -> bool:
    """Whether stable has kept a limit of late, so that the candidate may be held to it.

    One failure is added to what was seen: where the arms share their traffic, a stable of which little is known cannot
    show that the trouble is the candidate's own.
    """
    return hits + 1.0 <= limit * (of + 1.0) if policy.random_arms else hits <= limit * of


def has_enough(policy: Policy, state: State) -> bool:
    """Whether this step, or the guard, has had the requests and the time that it needs."""
    spent = state.observed_seconds - state.since_seconds
    enough = state.step_count.attempts >= policy.requests_needed(state.step)
    return enough and spent >= policy.seconds_needed(state.step)


def awaits_approval(policy: Policy, state: State) -> bool:
    """Whether nothing but somebody's approval is missing."""
    manual = policy.need_of(state.step).manual and not state.approved
    return manual and state.stage in (Stage.SHADOW, Stage.CANARY) and has_enough(policy, state)


def judged_percent(policy: Policy, state: State) -> float:
    """The candidate's share of the attempts that are compared. A shadow has one, though no user's request is its."""
    return policy.shadow.share_percent if policy.shadow and state.stage is Stage.SHADOW else state.weight_percent


def _tally(kind: Kind, policy: Policy, recent: Recent, looks: list[Look], *, floor: float, alone: bool) -> Tally:
    """What is new for one test. Limits are tested only while stable keeps them on the same traffic."""
    latency = kind in (Kind.LATENCY_RELATIVE, Kind.LATENCY_ABSOLUTE)
    compares = kind in COMPARISONS
    limit = (policy.max_slow_rate or 1.0) if latency else policy.max_error_rate
    if not compares and not alone:
        hits, of = recent.stable_failures, recent.stable_attempts
        if latency:
            hits, of = recent.stable_slow, recent.stable_timed
        if not stable_keeps(hits, of, limit, policy):
            return NOTHING
    total = NOTHING
    for look in looks:
        mine, theirs = look.candidate, look.stable
        of_mine, hit = (mine.timed, mine.slow) if latency else (mine.attempts, mine.failures)
        if compares:
            of_theirs, hit_theirs = (theirs.timed, theirs.slow) if latency else (theirs.attempts, theirs.failures)
            weight = look.weight_percent / 100.0
            new = relative(of_mine, of_theirs, hit, hit_theirs, weight=weight, floor=floor)
        else:
            new = absolute(of_mine, hit, limit)
        total = total.plus(new) if total.trials else new
    return total


def _bet(
    policy: Policy, state: State, looks: list[Look], recent: Recent, now: float, *, late_seconds: float
) -> tuple[tuple[Test, ...], _Open]:
    """Put the look into the open windows, and close those that are full. `late_seconds`: how much older than a second
    the news may be, and with it the weight under which the requests came."""
    floor = state.floor_percent / 100.0 if now <= state.floor_until_seconds + late_seconds else 0.0
    close_short = now - state.short_seconds >= SHORT_SECONDS * TOLERANCE
    close_long = now - state.long_seconds >= LONG_SECONDS * TOLERANCE
    short_inflow = invested(now) - invested(state.short_seconds) if close_short else 0.0
    long_inflow = invested(now) - invested(state.long_seconds) if close_long else 0.0
    resting = state.stage in (Stage.BRAKED, Stage.COOLING)
    fast_inflow = None if resting else BRAKE_INFLOW_PER_SECOND * (now - state.short_seconds)
    alone = state.weight_percent >= 100.0
    tests = []
    for test in state.tests:
        capital = test.capital
        new = _tally(test.kind, policy, recent, looks, floor=floor, alone=alone)
        short = capital.short.plus(new) if new.trials else capital.short
        long = capital.long.plus(new) if new.trials else capital.long
        capital = Capital(capital.fast, capital.sure, short, long)
        if close_short:
            by_limit = test.kind not in COMPARISONS and state.weight_percent <= SHARED_PERCENT
            fast_forms = FAST_BY_LIMIT if by_limit else FAST
            capital = advance_short(capital, short, short_inflow, fast_inflow, fast_forms)
        if close_long:
            capital = advance_long(capital, long, long_inflow)
        tests.append(Test(test.kind, test.share, capital))
    opened = (now if close_short else state.short_seconds, now if close_long else state.long_seconds)
    return tuple(tests), opened


def _add(count: Count, looks: Iterable[Look]) -> Count:
    attempts, failures, slow = count.attempts, count.failures, count.slow
    for look in looks:
        attempts += look.candidate.attempts
        failures += look.candidate.failures
        slow += look.candidate.slow
    return Count(attempts, failures, slow, count.looks + (attempts > count.attempts))


def _clean(policy: Policy, state: State, looks: list[Look]) -> Count:
    """Requests of a braked candidate, or of a shadow, since its last burst of failures: more than the limit allows in
    one round."""
    count = _add(state.clean_count, looks)
    needed = policy.requests_needed(state.step)
    allowed = policy.max_error_rate * needed
    slow_allowed = SLOW_SLACK * (policy.max_slow_rate or 1.0) * needed
    return Count() if count.failures > allowed or count.slow > slow_allowed else count


def weigh(policy: Policy, state: State, sample: Sample, *, stopped: bool = False) -> State:
    """The state after this sample, before anything is decided. `stopped`: by somebody, so no deadline runs.

    A gap without news that is longer than the sample's `stale_seconds` counts as that much observed time.
    """
    stale = sample.stale_seconds
    clock, seconds = _elapsed(state, sample)
    gateways, looks, fresh = absorb(state.gateways, sample.readings)
    blind = 0.0 if fresh else state.blind_seconds + seconds
    now = state.observed_seconds + (min(seconds, stale) if blind <= stale else 0.0)
    waits = blind > stale or now - state.since_seconds >= policy.seconds_needed(state.step)
    waits = waits and not stopped and not awaits_approval(policy, state)
    recent = _recent(state.recent, looks, seconds)
    tests, (short_seconds, long_seconds) = _bet(
        policy, state, looks, recent, now, late_seconds=max(0.0, stale - STALE_SECONDS)
    )
    percent = judged_percent(policy, state)
    arrived = bool(looks) and all(abs(look.weight_percent - percent) < 0.05 for look in looks)
    suspect = state.stage in (Stage.SHADOW, Stage.BRAKED)
    first = state.first_count
    if first.failures == first.attempts:
        first = _add(first, looks)
    return replace(
        state,
        clock_seconds=clock,
        observed_seconds=now,
        blind_seconds=blind,
        waited_seconds=state.waited_seconds + (seconds if waits else 0.0),
        step_count=_add(state.step_count, looks) if arrived else state.step_count,
        first_count=first,
        clean_count=_clean(policy, state, looks) if suspect else state.clean_count,
        recent=recent,
        short_seconds=short_seconds,
        long_seconds=long_seconds,
        tests=tests,
        gateways=gateways,
    )


def fast_evidence(state: State) -> float:
    """Capital of the fast process over all tests: what the brake looks at."""
    return sum(test.share * fast_value(test.capital) for test in state.tests)


def sure_evidence(state: State) -> float:
    """Capital of the sure process over all tests: what the roll-back looks at."""
    short, long = state.short_seconds, state.long_seconds
    return sum(test.share * sure_value(test.capital, short, long) for test in state.tests)
