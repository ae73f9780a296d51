"""Runs the rows through the twin and the rivals."""

import time
import zlib
from dataclasses import dataclass
from math import exp, lgamma, log, log1p

import numpy as np

from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.rollout.decide import begin, decide
from tests.bench.evidence.rivals import NAMES, Rivals
from tests.bench.evidence.rows import EPISODE, TEN, BadRow, FalseRow
from tests.bench.evidence.streams import Floats, Scenario, Traffic
from tests.bench.evidence.twin import ENDED, Twin

RIVAL_RUNS = 200


@dataclass(frozen=True)
class FalseResult:
    """How often a good version was rolled back and braked, of `runs`, and by the rivals."""

    row: FalseRow
    rolled_back: int
    braked: int
    rivals: dict[str, float]


@dataclass(frozen=True)
class BadResult:
    """Seconds after the version turned bad: (median, 95 %); inf: not within the time looked at."""

    row: BadRow
    brake: tuple[float, float]
    sure: tuple[float, float]
    resumed: tuple[float, float]
    failed: float
    """Median of the candidate's failed attempts."""
    before: int
    """Rollouts left out because they were braked or rolled back while still good."""
    rivals: dict[str, float]


def seed_of(name: str, seed: int) -> int:
    """A seed of its own for each row, so that a new row changes no other."""
    return seed * 2**32 + zlib.crc32(name.encode())


def upper_bound(hits: int, runs: int) -> float:
    """The one-sided upper 95 % bound of a share (Clopper and Pearson), by bisection."""

    ways = [lgamma(runs + 1) - lgamma(count + 1) - lgamma(runs - count + 1) for count in range(hits + 1)]

    def at_most(share: float) -> float:
        hit, miss = log(share), log1p(-share)
        return sum(exp(way + count * hit + (runs - count) * miss) for count, way in enumerate(ways))

    if hits >= runs:
        return 1.0
    low, high = max(hits / runs, 1e-12), 1.0 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) > 0.05 else (low, middle)
    return high


def _rivals(scenario: Scenario, weight: float, *, runs: int, seconds: int, seed: int) -> tuple[Rivals, Traffic]:
    traffic, rivals = Traffic(scenario, runs, seed), Rivals(runs)
    share = np.full(runs, weight / 100)
    for second in range(1, seconds + 1):
        rivals.step_on(traffic.second(second, share))
    return rivals, traffic


def measure_false(row: FalseRow, seed: int) -> FalseResult:
    """One row of a good version."""
    seed = seed_of(row.name, seed)
    twin, traffic = Twin(row.policy, row.runs), Traffic(row.scenario, row.runs, seed)
    for second in range(1, row.seconds + 1):
        twin.step_on(traffic.second(second, twin.weight / 100))
    weight = row.policy.steps_percent[0]
    rivals, _ = _rivals(row.scenario, weight, runs=RIVAL_RUNS, seconds=row.seconds, seed=seed)
    return FalseResult(
        row,
        int(np.isfinite(twin.rolled_back).sum()),
        int(np.isfinite(twin.first_brake).sum()),
        {name: float(np.isfinite(rivals.given_up[name]).mean()) for name in NAMES},
    )


def _quantiles(values: Floats) -> tuple[float, float]:
    if not len(values):
        return np.inf, np.inf
    half, most = np.quantile(values, (0.5, 0.95), method="higher")
    return float(half), float(most)


def measure_bad(row: BadRow, seed: int) -> BadResult:
    """One row of a worse version. Rollouts end when they are rolled back."""
    seed = seed_of(row.name, seed)
    twin = Twin(row.policy, row.runs, hard_fails=row.hard_fails)
    traffic = Traffic(row.scenario, row.runs, seed)
    for second in range(1, row.seconds + 1):
        twin.step_on(traffic.second(second, twin.weight / 100))
        if (twin.stage == ENDED).all():
            break
    bad_from = traffic.bad_from
    stopped = np.minimum(twin.first_brake, twin.rolled_back)
    fair, resumed = stopped > bad_from, np.isfinite(twin.first_resume)
    weight = row.policy.steps_percent[0]
    rivals, other = _rivals(row.scenario, weight, runs=200, seconds=max(row.seconds, 900), seed=seed)
    # Those that gave up a version that was still good have not found anything.
    later = {name: ends[ends > other.bad_from] for name, ends in rivals.given_up.items()}
    return BadResult(
        row,
        _quantiles((stopped - bad_from)[fair]),
        _quantiles((twin.rolled_back - bad_from)[fair]),
        _quantiles(twin.first_resume[resumed] - twin.first_brake[resumed]),
        float(np.median(twin.failed[fair])),
        int((~fair).sum()),
        {
            name: _quantiles((ends - other.bad_from)[ends > other.bad_from])[0] if len(later[name]) > 100 else np.nan
            for name, ends in rivals.given_up.items()
        },
    )


def measure_resume(seed: int) -> BadResult:
    """How long a version stays braked after one episode of three seconds."""
    return measure_bad(EPISODE, seed)


def measure_cost(policy: Policy = TEN, looks: int = 3000) -> float:
    """Microseconds of processor time of one decision of the product, at 100 requests/s with 0.5 % errors: the best of
    five, because other work on the machine only ever adds."""
    draw = np.random.default_rng(1)
    candidate, stable, samples = [0.0] * 6, [0.0] * 6, []
    for look in range(looks):
        requests = draw.poisson(100)
        mine = draw.binomial(requests, 0.1)
        for arm, count in ((candidate, mine), (stable, requests - mine)):
            failed = draw.binomial(count, 0.005)
            for index, new in enumerate((count, failed, 0, count - failed, draw.binomial(count - failed, 0.003), 0)):
                arm[index] += float(new)
        reading = Reading("gateway", "1", float(look), 10.0, Counters(*candidate), Counters(*stable))
        samples.append(Sample(1000.0 + look, (reading,)))
    best = np.inf
    for _ in range(5):
        state, began = begin(policy), time.process_time()
        for sample in samples:
            state, _ = decide(policy, state, sample)
        best = min(best, (time.process_time() - began) / looks * 1e6)
    return float(best)
