"""Simulated traffic: what a gateway would have counted in each second, for many rollouts at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.int64]
Which = NDArray[np.bool_]

PODS = 10
EPISODE_FAILURES = 0.8
EPISODES_PER_SECOND = 2 / 3600
"""Twice an hour a pod."""


@dataclass(frozen=True)
class Scenario:
    """What happens to both arms. Rates are shares of requests; seconds are those of the rollout."""

    requests_per_minute: float = 6000.0
    good: float = 0.005
    bad: float = 0.005
    """The candidate's error rate from `bad_from_seconds` on."""
    slow: float = 0.003
    slow_bad: float = 0.003
    bad_from_seconds: float = 0.0
    bad_spread_seconds: float = 0.0
    """The moment is drawn evenly from so many seconds after it, so that no grid of the test is favoured."""
    outage_seconds: tuple[float, float] | None = None
    outage: float = 0.5
    """Both arms fail so much in an outage."""
    burst: int = 1
    """Failures come in so many at once, on one arm (clients that try again)."""
    episode_seconds: float = 0.0
    """Mean length of the times in which a single pod fails."""
    episode_once_at: float | None = None
    """One episode of the candidate's first pod, of exactly `episode_seconds`, instead of random ones."""
    episode_failures: float = EPISODE_FAILURES
    diurnal: bool = False
    """Traffic and errors of both arms swing as in a day, an hour long."""
    failover: bool = True
    latency: bool = False
    """Whether anybody looks at latency; otherwise nothing is slow, which saves the drawing."""


@dataclass(frozen=True)
class Second:
    """One second of every rollout: arrays of one number per rollout."""

    candidate: Counts
    stable: Counts
    failures: Counts
    shared: Counts
    stable_failures: Counts
    timed: Counts
    stable_timed: Counts
    slow: Counts
    stable_slow: Counts


class Traffic:
    """The stream of a scenario. Every rollout has random numbers of its own, in an order that its weight changes."""

    def __init__(self, scenario: Scenario, runs: int, seed: int) -> None:
        self._scenario = scenario
        self._runs = runs
        self._random = np.random.default_rng(seed)
        spread = self._random.random(runs) * scenario.bad_spread_seconds
        self.bad_from: Floats = scenario.bad_from_seconds + spread
        self._left = np.zeros((runs, PODS))

    def _episodes(self, second: int, weight: Floats) -> tuple[Floats, Floats]:
        """(candidate's part, stable's part) of the pods that fail in this second."""
        scenario = self._scenario
        self._left = np.maximum(self._left - 1.0, 0.0)
        if scenario.episode_once_at is None:
            begins = self._random.random((self._runs, PODS)) < EPISODES_PER_SECOND
            if begins.any():
                self._left[begins] = self._random.exponential(scenario.episode_seconds, int(begins.sum()))
        elif second == int(scenario.episode_once_at):
            self._left[:, 0] = scenario.episode_seconds
        failing = np.minimum(self._left, 1.0)
        pods = np.clip(np.round(weight * PODS), 1, PODS - 1).astype(int)
        upto = np.cumsum(failing, axis=1)
        candidate = np.take_along_axis(upto, pods[:, None] - 1, axis=1)[:, 0]
        return candidate / pods, (upto[:, -1] - candidate) / (PODS - pods)

    def _rates(self, second: int, weight: Floats) -> tuple[Floats, Floats, float]:
        scenario = self._scenario
        swing = 1.0 + 0.8 * np.sin(2 * np.pi * second / 3600) if scenario.diurnal else 1.0
        stable = np.full(self._runs, scenario.good * (2.0 - swing))
        worse = np.maximum(scenario.bad, stable) if scenario.bad > scenario.good else stable
        candidate = np.where(second > self.bad_from, worse, stable)
        if scenario.episode_seconds:
            mine, theirs = self._episodes(second, weight)
            candidate = candidate + (scenario.episode_failures - candidate) * mine
            stable = stable + (scenario.episode_failures - stable) * theirs
        if scenario.outage_seconds and scenario.outage_seconds[0] <= second < scenario.outage_seconds[1]:
            candidate, stable = np.maximum(candidate, scenario.outage), np.maximum(stable, scenario.outage)
        return np.minimum(candidate, 1.0), np.minimum(stable, 1.0), float(swing)

    def _failed(self, requests: Counts, rate: Floats) -> Counts:
        burst = self._scenario.burst
        if burst == 1:
            return self._random.binomial(requests, rate)
        return burst * self._random.poisson(requests * rate / burst)

    def second(self, second: int, weight: Floats) -> Second:
        """The next second, at these shares of the candidate."""
        scenario = self._scenario
        candidate_rate, stable_rate, swing = self._rates(second, weight)
        requests = self._random.poisson(scenario.requests_per_minute / 60 * swing, self._runs)
        candidate = self._random.binomial(requests, weight)
        stable = requests - candidate
        failures, stable_failures = self._failed(candidate, candidate_rate), self._failed(stable, stable_rate)
        # What a burst adds are requests too.
        candidate, stable = np.maximum(candidate, failures), np.maximum(stable, stable_failures)
        shared = self._random.binomial(failures, stable_rate) if scenario.failover else np.zeros_like(failures)
        timed, stable_timed = candidate - failures, stable - stable_failures
        slow = stable_slow = np.zeros_like(timed)
        if scenario.latency:
            rate = np.where(second > self.bad_from, scenario.slow_bad, scenario.slow)
            slow = self._random.binomial(timed, rate)
            stable_slow = self._random.binomial(stable_timed, scenario.slow)
        return Second(
            candidate,
            stable,
            failures,
            shared,
            stable_failures,
            timed,
            stable_timed,
            slow,
            stable_slow,
        )
