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
    guard_seconds: float = 600.0
    control_percent: float = 5.0
    """What the previous revision keeps in the guard; 0: nothing to compare with."""
    hold_deadline_seconds: float = 86_400.0
    attempt_timeout_seconds: float = 3.0
    """How long an attempt may be under way: requests of the weight before still complete as long."""
    cooldown_seconds: float = 300.0
    """How long an unshielded candidate gets nothing after its first brake."""

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
        if self.min_requests is not None:
            _within("min_requests", self.min_requests, 1, 1e9)

    @property
    def needed_requests(self) -> int:
        """Candidate requests that a step needs. With none failed among 3/p, p is excluded at 95 %."""
        return self.min_requests or ceil(3 / self.max_error_rate)

    @property
    def probe_percent(self) -> float:
        """The weight of a braked candidate."""
        return min(5.0, self.steps_percent[0])

    @property
    def guard_percent(self) -> float:
        """The weight of the new revision while the one before keeps its control share."""
        return 100.0 - self.control_percent
