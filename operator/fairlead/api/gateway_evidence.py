"""What one gateway pod says of itself, whichever way it reaches us. `gateway_series.py` makes it of the series."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan


class InvalidEvidence(ValueError):
    """This is nothing that a gateway says. The message says what was expected, and quotes what came."""


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """One use of one revision at one gateway pod since `PodEvidence.started_seconds`; NaN: the pod did not say."""

    attempts: float = nan
    """Completed first attempts."""
    attempt_failures: float = nan
    """First attempts that failed: 5xx, refused, reset, cut at the attempt timeout."""
    latency_samples: float = nan
    """First attempts whose answer was timed: one that is tried again elsewhere is not."""
    attempts_slow: float = nan
    """Of those, the ones above the latency limit."""
    attempts_timed_out: float = nan
    """First attempts that the attempt timeout cut; they are failures, too."""
    throttled: float = nan
    """Attempts answered 429."""
    failovers: float = nan
    """Second attempts, counted at the one that failed first."""
    failover_failures: float = nan
    """Second attempts that failed, too."""
    failovers_impossible: float = nan
    """Failures that could not be tried again: the body was too large, or the answer had begun."""
    overflows: float = nan
    """Requests that the gateway's own limits turned away."""
    absent: float = nan
    """Attempts that found no endpoint; they are no `attempts`."""
    ejected: float = nan
    """1 while the gateway has ejected every endpoint."""
    weight_percent: float = nan
    """The share of the traffic that the gateway gives it now."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The newest `status.traffic` is not served, and why."""

    generation: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class DeploymentEvidence:
    """One ModelDeployment at one gateway pod."""

    generation: int = 0
    """The traffic generation that is served now; 0: none."""
    epoch: int = 0
    rejection: Rejection | None = None
    rejections: float = nan
    latency_limit_seconds: float = nan
    """The bound above which `attempts_slow` counts; NaN: none."""
    arms: Mapping[tuple[str, str], ArmCounts] = field(default_factory=dict)
    """By revision and use: stable, canary, previous, failover, mirror, matched."""
    endpoints: Mapping[str, int] = field(default_factory=dict)
    """Ready endpoints by revision."""


@dataclass(frozen=True, slots=True)
class PodEvidence:
    """One answer of one gateway pod: its whole namespace."""

    at_seconds: float
    """When the numbers were read, by the pod's own clock, which never goes back."""
    started_seconds: float
    """Names the process behind the counters: those of another one start from zero."""
    deployments: Mapping[str, DeploymentEvidence]

    def is_after(self, other: "PodEvidence") -> bool:
        """Whether the same pod said this later than the other."""
        return (self.started_seconds, self.at_seconds) > (other.started_seconds, other.at_seconds)
