"""The rules of others on the same streams: one look a minute, success rate against 99 %, weight left as it is.

Flagger 1.44 counts failed checks over the whole rollout and rolls back on the tick after the threshold; no answer is a
failed check. Argo Rollouts fails when failed measurements exceed failureLimit; with a success condition alone, no
answer fails. The fixed-sample test is a pooled one-sided test of two proportions at 1 %, looked at every minute.
"""

import numpy as np

from tests.bench.evidence.streams import Floats, Second, Which

LOOK_SECONDS = 60
SUCCESS = 0.99
FLAGGER_THRESHOLD = 5
ARGO_LIMITS = (0, 3)
CRITICAL = 2.326347874
"""The one-sided 1 % point of the normal distribution."""
NAMES = ("Flagger", "Argo, default", "Argo, limit 3", "z test")


class Rivals:
    """Arrays of one number per rollout: the second at which each rule gives the candidate up."""

    def __init__(self, runs: int) -> None:
        self._second = 0
        self._minute = [np.zeros(runs, int) for _ in range(2)]
        self._total = [np.zeros(runs, int) for _ in range(4)]
        self._bad_minutes = np.zeros(runs, int)
        self._reached = np.full(runs, np.inf)
        self.given_up: dict[str, Floats] = {name: np.full(runs, np.inf) for name in NAMES}

    def step_on(self, new: Second) -> None:
        """One second."""
        self._second += 1
        self._minute[0] += new.candidate
        self._minute[1] += new.failures
        seen = (new.candidate, new.failures, new.stable, new.stable_failures)
        self._total = [total + more for total, more in zip(self._total, seen, strict=True)]
        if self._second % LOOK_SECONDS == 0:
            self._look()

    def _end(self, name: str, which: Which) -> None:
        self.given_up[name][which & np.isinf(self.given_up[name])] = self._second

    def _look(self) -> None:
        requests, failures = self._minute
        bad = failures > (1 - SUCCESS) * requests
        bad |= requests == 0
        # Flagger acts on the tick after the one that reached the threshold.
        self._end("Flagger", self._reached < self._second)
        self._bad_minutes += bad
        self._reached[(self._bad_minutes >= FLAGGER_THRESHOLD) & np.isinf(self._reached)] = self._second
        self._end("Argo, default", self._bad_minutes > ARGO_LIMITS[0])
        self._end("Argo, limit 3", self._bad_minutes > ARGO_LIMITS[1])
        self._end("z test", self._significant())
        requests[:] = 0
        failures[:] = 0

    def _significant(self) -> Which:
        n, k, other_n, other_k = (total.astype(float) for total in self._total)
        n, other_n = np.maximum(n, 1), np.maximum(other_n, 1)
        pooled = (k + other_k) / (n + other_n)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / n + 1 / other_n), 1e-30))
        worse: Which = (k / n - other_k / other_n) / deviation > CRITICAL
        worse &= k + other_k > 0
        return worse
