"""What a rollout was asked to do, and the errors it may make."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil


class Mode(StrEnum):
    """Whether verdicts act."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class InvalidPolicy(ValueError):
    """A field is out of its range; the message says which, what was expected and what came."""


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidPolicy(f"{name}: expected {low:g} to {high:g}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Need:
    """What one step needs otherwise than the rest; None: what every step needs."""

    requests: int | None = None
    seconds: float | None = None
    manual: bool = False
    """Somebody has to approve of the next step."""


SHADOW_STEP = -1
"""The index of the shadow among the steps: it comes before the first one."""
_PARTS_OF_ALPHA = 2
"""With a shadow, alpha is spent half on it and half on the rest: each is judged from nothing, by itself."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Copies of some requests go to the candidate before anybody's request does."""

    percent: float
    """How much of stable's traffic is copied."""
    need: Need

    @property
    def share_percent(self) -> float:
        """The candidate's share of all attempts that are compared, those of stable and the copies of them."""
        return 100.0 * self.percent / (100.0 + self.percent)


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits, steps and deadlines. The defaults are those of the API."""

    steps_percent: tuple[float, ...] = (5.0, 25.0, 50.0)
    max_error_rate: float = 0.02
    """Share of first attempts that may fail."""
    max_slow_rate: float | None = None
    """Share of requests that may be slower than the latency limit (0.01 for a p99); None: latency is not judged."""
    alpha: float = 0.01
    """The most that a version as good as stable may be rolled back, over the whole rollout."""
    mode: Mode = Mode.ENFORCE
    failover: bool = True
    """A failed attempt is answered by stable, so a brake may leave the candidate a probe share."""
    random_arms: bool = True
    """Requests are assigned by chance. A header or cookie is not chance: then only the limits are tested."""
    min_requests: int | None = None
    """Candidate requests per step; None: the rule of three, 3 / max_error_rate."""
    min_step_seconds: float = 30.0
    needs: tuple[Need, ...] = ()
    """By step, as far as they differ; steps beyond the last need the same as every other."""
    guard_seconds: float = 600.0
    control_percent: float = 5.0
    """What the previous revision keeps in the guard; 0: nothing to compare with."""
    hold_deadline_seconds: float = 86_400.0
    attempt_timeout_seconds: float = 3.0
    """How long an attempt may be under way: requests of the weight before still complete as long."""
    cooldown_seconds: float = 300.0
    """How long an unshielded candidate gets nothing after its first brake."""
    shadow: Shadow | None = None
    """What comes before the first step; None: nothing."""
    canary: bool = True
    """Whether the candidate goes through the steps. Without them it takes everything when its shadow has passed."""

    def __post_init__(self) -> None:
        if not self.steps_percent:
            raise InvalidPolicy("steps_percent: expected at least one weight, got none")
        for weight in self.steps_percent:
            _within("steps_percent", weight, 0.1, 100)
        _within("max_error_rate", self.max_error_rate, 1e-5, 0.5)
        if self.max_slow_rate is not None:
            _within("max_slow_rate", self.max_slow_rate, 1e-5, 0.5)
        _within("alpha", self.alpha, 1e-6, 0.2)
        _within("control_percent", self.control_percent, 0, 50)
        if self.shadow is not None:
            _within("shadow.percent", self.shadow.percent, 1, 100)
        elif not self.canary:
            raise InvalidPolicy("canary: expected true without a shadow, got False")
        needs = (*self.needs, self.need_of(SHADOW_STEP))
        for requests in (self.min_requests, *(need.requests for need in needs)):
            if requests is not None:
                _within("min_requests", requests, 1, 1e9)

    @property
    def needed_requests(self) -> int:
        """Candidate requests that a step needs. With none failed among 3/p, p is excluded at 95 %."""
        return self.min_requests or ceil(3 / self.max_error_rate)

    @property
    def stage_alpha(self) -> float:
        """What the shadow may spend of alpha, and what everything after it may. Without a shadow it is all of it."""
        return self.alpha if self.shadow is None else self.alpha / _PARTS_OF_ALPHA

    def need_of(self, step: int) -> Need:
        """What a step, by its index, needs otherwise. The guard comes after the last step and needs nothing else."""
        if step == SHADOW_STEP:
            return self.shadow.need if self.shadow else Need()
        return self.needs[step] if step < min(len(self.needs), len(self.steps_percent)) else Need()

    def requests_needed(self, step: int) -> int:
        """Candidate requests that this step needs."""
        return self.need_of(step).requests or self.needed_requests

    def seconds_needed(self, step: int) -> float:
        """Time under observation that this step, or the guard, takes at least."""
        if step >= len(self.steps_percent):
            return self.guard_seconds
        own = self.need_of(step).seconds
        return self.min_step_seconds if own is None else own

    @property
    def probe_percent(self) -> float:
        """The weight of a braked candidate."""
        return min(5.0, self.steps_percent[0])

    @property
    def guard_percent(self) -> float:
        """The weight of the new revision while the one before keeps its control share."""
        return 100.0 - self.control_percent
