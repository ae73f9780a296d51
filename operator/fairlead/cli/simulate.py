"""What a policy would do: `python -m fairlead simulate --requests-per-second 20 --set max_error_rate=0.01`.

Runs rollouts on made-up traffic through the operator's own decision function, and says how long a bad version of each
kind would live and how often a good one would be called bad.
"""

import argparse
import json
import random  # noqa: TID251 -- made-up traffic, from a seed
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from statistics import median

from fairlead.cli.whatif import parse_setting, policy_with
from fairlead.core.evidence.policy import InvalidPolicy, Policy
from fairlead.core.evidence.record import InvalidRecord, as_json
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.rollout.checks import Action
from fairlead.core.rollout.decide import begin, decide

_SMALL_MEAN = 30.0


@dataclass(frozen=True, slots=True)
class Version:
    """How a made-up version behaves."""

    name: str
    failing: float
    slow: float


@dataclass(frozen=True, slots=True)
class Life:
    """What became of one rollout; seconds from its start, None: it did not happen."""

    braked_seconds: float | None
    rolled_back_seconds: float | None
    failed_or_slow: int
    """Answers of the candidate, before any failover."""


def _poisson(draw: random.Random, mean: float) -> int:
    if mean > _SMALL_MEAN:
        return max(0, round(draw.gauss(mean, mean**0.5)))
    count, left = -1, 1.0
    floor = exp(-mean)
    while left > floor:
        left *= draw.random()
        count += 1
    return max(0, count)  # of nothing at all, too


def _some(draw: random.Random, of: int, share: float) -> int:
    """About how many of so many are hit."""
    if share >= 1.0:
        return of
    if of <= _SMALL_MEAN:
        return sum(draw.random() < share for _ in range(of))
    return min(of, _poisson(draw, of * share))


class _Arm:
    """Counts up what one arm answers."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self.attempts = self.failures = self.slow = 0

    def answer(self, requests: int, failing: float, slow: float) -> None:
        failed = _some(self._draw, requests, failing)
        self.attempts += requests
        self.failures += failed
        self.slow += _some(self._draw, requests - failed, slow)

    def counters(self) -> Counters:
        return Counters(self.attempts, self.failures, 0, self.attempts - self.failures, self.slow, 0)


def live(
    policy: Policy,
    version: Version,
    stable: Version,
    rate: float,
    *,
    seconds: int,
    seed: int,
    heard: Callable[[Sample], object] = lambda _: None,
) -> Life:
    """One rollout, looked at every second, until it ends or the time is over. `heard` is told every sample."""
    draw = random.Random(seed)  # noqa: S311 -- no secret hangs on it
    state, arms = begin(policy), (_Arm(draw), _Arm(draw))
    braked = rolled = None
    for second in range(seconds + 1):
        weight = state.weight_percent
        reading = Reading("gateway", "1", float(second), weight, arms[0].counters(), arms[1].counters())
        sample = Sample(1.0 + second, (reading,))
        heard(sample)
        state, verdict = decide(policy, state, sample)
        if verdict.action is Action.BRAKE and braked is None:
            braked = float(second)
        if verdict.action is Action.ROLL_BACK:
            rolled = float(second)
        if verdict.action in (Action.ROLL_BACK, Action.FINISH):
            break
        requests = _poisson(draw, rate)
        mine = _some(draw, requests, state.weight_percent / 100)
        arms[0].answer(mine, version.failing, version.slow)
        arms[1].answer(requests - mine, stable.failing, stable.slow)
    return Life(braked, rolled, arms[0].failures + arms[0].slow)


def _half(values: list[float | None], runs: int) -> str:
    """The median; a dash when it happened in fewer than half of the runs."""
    seen = sorted(value for value in values if value is not None)
    if 2 * len(seen) <= runs:
        return "-"
    return f"{median(seen + [float('inf')] * (runs - len(seen))):.0f} s"


def _row(version: Version, lives: Sequence[Life]) -> str:
    runs = len(lives)
    called_bad = sum(life.rolled_back_seconds is not None for life in lives)
    stopped = sum(life.braked_seconds is not None for life in lives)
    first = _half([life.braked_seconds or life.rolled_back_seconds for life in lives], runs)
    return (
        f"{version.name:<28} {first:>9} {_half([life.rolled_back_seconds for life in lives], runs):>13} "
        f"{stopped:>5} of {runs} {called_bad:>6} of {runs} {median(life.failed_or_slow for life in lives):>12.0f}"
    )


def _write_log(file: Path, policy: Policy, stable: Version, given: argparse.Namespace) -> None:
    """The sample log of one rollout that fails 20 % of its requests."""
    bad, lines = Version("bad", 0.2, stable.slow), [json.dumps({"policy": as_json(policy)})]
    live(
        policy,
        bad,
        stable,
        given.requests_per_second,
        seconds=given.seconds,
        seed=given.seed,
        heard=lambda sample: lines.append(json.dumps({"sample": as_json(sample)})),
    )
    file.write_text("\n".join(lines) + "\n")
    print(f"\n{file}: the samples of one version with 20% errors; python -m fairlead replay {file}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 2 when the policy is none."""
    parser = argparse.ArgumentParser(prog="fairlead simulate", description=__doc__)
    parser.add_argument("--requests-per-second", type=float, default=100.0, help="of both revisions together")
    parser.add_argument("--stable-errors", type=float, default=0.005, help="share of stable's requests that fail")
    parser.add_argument("--stable-slow", type=float, default=0.002, help="share of stable's requests that are slow")
    parser.add_argument("--seconds", type=int, default=600, help="how long to look at each rollout")
    parser.add_argument("--runs", type=int, default=30, help="rollouts per row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--set", action="append", default=[], type=parse_setting, metavar="FIELD=VALUE", help="a field of the policy"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the samples of one bad version, to be replayed")
    given = parser.parse_args(arguments)
    try:
        policy = policy_with(Policy(), given.set)
    except (InvalidPolicy, InvalidRecord) as error:
        print(f"fairlead simulate: {error}", file=sys.stderr)
        return 2
    stable = Version("as good as stable", given.stable_errors, given.stable_slow)
    versions = [stable, *(Version(f"{rate:.0%} errors", rate, given.stable_slow) for rate in (0.02, 0.05, 0.2, 1.0))]
    if policy.max_slow_rate is not None:
        versions += [Version(f"{rate:.0%} slow", given.stable_errors, rate) for rate in (0.05, 0.2, 1.0)]
    print("version                        stopped   rolled back    braked   called bad    failed or slow answers")
    for version in versions:
        lives = [
            live(policy, version, stable, given.requests_per_second, seconds=given.seconds, seed=given.seed + run)
            for run in range(given.runs)
        ]
        print(_row(version, lives), flush=True)
    try:
        if given.log:
            _write_log(given.log, policy, stable, given)
    except OSError as error:
        print(f"fairlead simulate: --log: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
