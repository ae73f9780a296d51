"""The rows of the tables: a scenario, a policy, how long to look, and what was promised of it."""

from dataclasses import dataclass, replace

import numpy as np

from fairlead.core.evidence.policy import Policy
from tests.bench.evidence.streams import Scenario

HALF_HOUR, HOUR = 1800, 3600
FOREVER = 1e9


def held_at(weight: float, **more: object) -> Policy:
    """A rollout that stays at one weight."""
    return replace(Policy(steps_percent=(weight,), min_step_seconds=FOREVER), **more)  # type: ignore[arg-type]


STEPS = Policy(min_step_seconds=1200.0, guard_seconds=FOREVER)
GUARD = Policy(steps_percent=(50.0,), min_step_seconds=60.0, guard_seconds=FOREVER)
TEN = held_at(10.0)
UNSHIELDED = replace(TEN, failover=False)
LATENCY = replace(TEN, max_slow_rate=0.01)


@dataclass(frozen=True)
class FalseRow:
    """A version as good as stable: how often it is rolled back."""

    name: str
    scenario: Scenario
    policy: Policy = TEN
    limit: float | None = 0.01
    """What the upper bound was promised to be at most; None: measured, not promised."""
    runs: int = 2000
    seconds: int = HALF_HOUR


@dataclass(frozen=True)
class BadRow:
    """A worse version: how soon it is braked and rolled back. Goals in seconds, medians."""

    name: str
    scenario: Scenario
    policy: Policy = TEN
    brake_goal: float | None = None
    sure_goal: float | None = None
    runs: int = 1000
    seconds: int = 300
    hard_fails: bool = False


def _false_rows() -> list[FalseRow]:
    rows = [
        FalseRow(f"steady, {rpm:,} requests/min, 10 %", Scenario(requests_per_minute=rpm))
        for rpm in (10, 100, 1000, 6000, 100_000)
    ]
    rows += [
        FalseRow(f"steady, 6,000 requests/min, {weight:g} %", Scenario(), held_at(weight))
        for weight in (1.0, 5.0, 25.0, 50.0, 95.0)
    ]
    outage = Scenario(outage_seconds=(600.0, 900.0))
    rows += [
        FalseRow("steps 5/25/50, 20 min each", Scenario(), STEPS, runs=4000, seconds=HOUR),
        FalseRow("guard with 5 % control", Scenario(), GUARD),
        FalseRow("diurnal traffic and errors", Scenario(diurnal=True), runs=4000, seconds=HOUR),
        FalseRow("latency judged too", Scenario(latency=True), LATENCY),
        FalseRow("joint outage, 5 min at 50 %", outage),
        FalseRow("joint outage, 600 requests/min", replace(outage, requests_per_minute=600)),
        FalseRow("joint outage, 5 min at 5 %", replace(outage, outage=0.05)),
        FalseRow("joint outage from the start", replace(outage, outage_seconds=(0.0, 300.0))),
        FalseRow("joint outage in the guard", outage, GUARD),
        FalseRow("joint outage, steps 5/25/50", outage, STEPS, runs=4000, seconds=HOUR),
    ]
    rows += [FalseRow(f"same-side bursts of {size}", Scenario(burst=size)) for size in (2, 5, 10, 20)]
    rows += [FalseRow("same-side bursts of 20, 50 %", Scenario(burst=20), held_at(50.0))]
    pods = Scenario(episode_seconds=3.0)
    rows += [
        FalseRow("pod episodes, mean 1 s", replace(pods, episode_seconds=1.0), limit=0.02, runs=4000, seconds=HOUR),
        FalseRow("pod episodes, mean 3 s", pods, limit=0.02, runs=4000, seconds=HOUR),
        FalseRow("pod episodes, mean 3 s, steps", pods, STEPS, limit=0.02, runs=4000, seconds=HOUR),
        FalseRow(
            "pod episodes, mean 3 s, all fail", replace(pods, episode_failures=1.0), limit=None, runs=4000, seconds=HOUR
        ),
        FalseRow("pod episodes, mean 10 s", replace(pods, episode_seconds=10.0), limit=None, runs=4000, seconds=HOUR),
    ]
    off = Scenario(failover=False)
    rows += [
        FalseRow("failover off: steady", off, UNSHIELDED),
        FalseRow("failover off: joint outage", replace(outage, failover=False), UNSHIELDED),
        FalseRow("failover off: bursts of 20", replace(off, burst=20), UNSHIELDED, limit=None),
        FalseRow(
            "failover off: pod episodes, 3 s", replace(pods, failover=False), UNSHIELDED, limit=None, seconds=HOUR
        ),
    ]
    return rows


_GOALS = {0.05: (13.0, 50.0), 0.2: (4.0, 30.0), 1.0: (2.0, 15.0)}


def _bad_rows() -> list[BadRow]:
    rows = [BadRow(f"{bad:.0%} errors", Scenario(bad=bad), TEN, *goal) for bad, goal in _GOALS.items()]
    rows += [BadRow("100% errors, hard fail on", Scenario(bad=1.0), TEN, hard_fails=True)]
    for minutes, runs in ((10, 1000), (60, 500)):
        late = Scenario(bad_from_seconds=60.0 * minutes, bad_spread_seconds=300.0)
        for bad, (brake, sure) in _GOALS.items():
            goals = (2 * brake, 2 * sure) if minutes == 60 else (None, None)
            rows.append(
                BadRow(
                    f"{bad:.0%} errors after {minutes} min",
                    replace(late, bad=bad),
                    brake_goal=goals[0],
                    sure_goal=goals[1],
                    runs=runs,
                    seconds=60 * minutes + 600,
                )
            )
    rows += [BadRow(f"{bad:.0%} slow", Scenario(slow_bad=bad, latency=True), LATENCY) for bad in (0.05, 0.2, 1.0)]
    rows += [
        BadRow(f"{bad:.0%} errors and slow", Scenario(bad=bad, slow_bad=bad, latency=True), LATENCY)
        for bad in (0.05, 0.2)
    ]
    rows += [
        BadRow("20% errors, 600 requests/min", Scenario(600, bad=0.2), seconds=600),
        BadRow("20% errors, 100 requests/min", Scenario(100, bad=0.2), seconds=1800),
        BadRow("20% errors, 100,000 requests/min", Scenario(100_000, bad=0.2)),
        BadRow("20% errors at 1 %", Scenario(bad=0.2), held_at(1.0)),
        BadRow("20% errors at 50 %, 12,000 requests/min", Scenario(12_000, bad=0.2), held_at(50.0)),
        BadRow("20% errors in the guard", Scenario(bad=0.2, bad_from_seconds=200.0), GUARD, seconds=800),
        BadRow("5% errors in the guard", Scenario(bad=0.05, bad_from_seconds=200.0), GUARD, seconds=800),
        BadRow("failover off: 20% errors", Scenario(bad=0.2, failover=False), UNSHIELDED, seconds=600),
    ]
    return rows


FALSE_ROWS = _false_rows()
BAD_ROWS = _bad_rows()
EPISODE = BadRow(
    "resumes after one 3 s episode", Scenario(episode_seconds=3.0, episode_once_at=120.0), TEN, seconds=400
)
RESUME_GOAL_SECONDS = 120.0


def drawn_rows(seed: int) -> list[FalseRow]:
    """Scenarios of a good version that nobody has tuned for: everything is drawn."""
    draw = np.random.default_rng(seed)
    rows = []
    for index in range(8):
        rate, weight = 10 ** draw.uniform(1, 5), float(draw.choice([1, 3, 10, 30, 60, 90]))
        begins = draw.uniform(0, 1500)
        scenario = Scenario(
            requests_per_minute=rate,
            good=(good := 10 ** draw.uniform(-3.5, -1.9)),
            bad=good,
            burst=int(draw.choice([1, 1, 3, 12])),
            diurnal=bool(draw.random() < 0.3),
            outage_seconds=(begins, begins + draw.uniform(10, 600)) if draw.random() < 0.5 else None,
            outage=draw.uniform(0.02, 1.0),
        )
        what = [f"{rate:,.0f} requests/min", f"{weight:g} %", f"{good:.2%} errors", f"bursts of {scenario.burst}"]
        what += ["diurnal"] * scenario.diurnal
        if scenario.outage_seconds:
            length = scenario.outage_seconds[1] - scenario.outage_seconds[0]
            what.append(f"outage of {length:.0f} s at {scenario.outage:.0%}")
        policy = STEPS if index % 4 == 3 else held_at(weight)
        rows.append(FalseRow(f"drawn {index + 1}: " + ", ".join(what), scenario, policy))
    return rows
