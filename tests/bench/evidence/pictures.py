"""The pictures of docs/evidence.md, drawn from the simulation."""

from collections.abc import Sequence

import numpy as np

from fairlead.core.evidence import weighing
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.rollout import checks
from fairlead.core.rollout.decide import begin, decide
from tests.bench.evidence.drawing import Axis, Line, chart
from tests.bench.evidence.measure import FalseResult, upper_bound
from tests.bench.evidence.rivals import NAMES
from tests.bench.evidence.rows import TEN
from tests.bench.evidence.streams import Scenario, Traffic
from tests.bench.evidence.twin import Twin

SECONDS = 60


def _life(bad: float, seed: int, begins: int = 10) -> list[tuple[float, float, float]]:
    """(second, fast, sure) of one rollout of the product, whose version turns bad after ten seconds."""
    draw, state = np.random.default_rng(seed), begin(TEN)
    candidate, stable = [0.0] * 6, [0.0] * 6
    points = []
    for second in range(SECONDS):
        weight = state.weight_percent
        reading = Reading("gateway", "1", float(second), weight, Counters(*candidate), Counters(*stable))
        state, verdict = decide(TEN, state, Sample(1000.0 + second, (reading,)))
        points.append((float(second), weighing.fast_evidence(state), verdict.sure))
        if verdict.action is checks.Action.ROLL_BACK:
            break
        requests = draw.poisson(100)
        mine = draw.binomial(requests, state.weight_percent / 100)
        for arm, count, rate in (
            (candidate, mine, bad if second >= begins else 0.005),
            (stable, requests - mine, 0.005),
        ):
            failed = draw.binomial(count, rate)
            arm[0] += count
            arm[1] += failed
            arm[3] += count - failed
    return points


def evidence_of_one_version(bad: float, seed: int) -> str:
    """Both processes over the life of a bad version."""
    life = _life(bad, seed)
    return chart(
        f"A version that fails {bad:.0%} of its requests from second 10 on",
        Axis("seconds", 0, SECONDS, range(0, SECONDS + 1, 10)),
        Axis("evidence (capital)", 0.01, 1e6, [0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6], logarithmic=True),
        [
            Line("fast", [(x, fast) for x, fast, _ in life], steps=True),
            Line("sure", [(x, sure) for x, _, sure in life], steps=True),
            Line("brake at 100", [(0, 100), (SECONDS, 100)], dashed=True),
            Line("roll back at 200", [(0, 200), (SECONDS, 200)], dashed=True),
        ],
    )


def _shares(seconds: Sequence[float], runs: int) -> list[tuple[float, float]]:
    found = sorted(second for second in seconds if second <= SECONDS)
    return [
        (0.0, 0.0),
        *((second, 100 * (i + 1) / runs) for i, second in enumerate(found)),
        (SECONDS, 100 * len(found) / runs),
    ]


def times_to_stop(seed: int, runs: int = 500) -> str:
    """How many of the bad versions are braked and rolled back by each second."""
    lines = []
    for bad in (1.0, 0.2, 0.05):
        twin, traffic = Twin(TEN, runs, hard_fails=False), Traffic(Scenario(bad=bad), runs, seed)
        for second in range(1, SECONDS + 1):
            twin.step_on(traffic.second(second, twin.weight / 100))
        lines.append(
            Line(f"{bad:.0%} errors: brake", _shares(twin.first_brake.tolist(), runs), dashed=True, steps=True)
        )
        lines.append(Line(f"{bad:.0%} errors: roll-back", _shares(twin.rolled_back.tolist(), runs), steps=True))
    return chart(
        "Bad versions stopped, 10 % canary at 100 requests/s",
        Axis("seconds of data", 0, SECONDS, range(0, SECONDS + 1, 10)),
        Axis("% of rollouts", 0, 100, range(0, 101, 20)),
        lines,
    )


def false_roll_backs(results: Sequence[FalseResult]) -> str:
    """A good version at different rates: ours and the rivals'."""
    steady = [one for one in results if one.row.name.startswith("steady") and one.row.name.endswith("10 %")]
    rates = [one.row.scenario.requests_per_minute for one in steady]
    own = [(rate, 100 * upper_bound(one.rolled_back, one.row.runs)) for rate, one in zip(rates, steady, strict=True)]
    lines = [Line("Fairlead (95 % bound)", own)]
    lines += [
        Line(name, [(rate, 100 * one.rivals[name]) for rate, one in zip(rates, steady, strict=True)]) for name in NAMES
    ]
    return chart(
        "Good versions rolled back within half an hour, 10 % canary",
        Axis("requests/min of both versions", 10, 100_000, [10, 100, 1000, 10_000, 100_000], logarithmic=True),
        Axis("% of rollouts", 0, 100, range(0, 101, 20)),
        lines,
    )
