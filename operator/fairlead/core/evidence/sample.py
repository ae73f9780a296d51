"""What one look sees: cumulative counters per gateway pod, as they came, not yet trusted."""

from dataclasses import dataclass

LARGEST_COUNT = 2.0**53
"""Above this a float no longer tells two counts apart."""
STALE_SECONDS = 15.0
"""For how long gateways that are asked every second may say nothing new."""


@dataclass(frozen=True, slots=True)
class Counters:
    """One arm at one gateway since the gateway's process started. Any field may be NaN when the source was broken."""

    attempts: float = 0
    """Completed first attempts."""
    failures: float = 0
    """First attempts that failed: 5xx, refused, reset, cut at the attempt timeout."""
    shared: float = 0
    """Failures whose second attempt failed on stable too: the input's or a dependency's fault."""
    timed: float = 0
    """Requests with a latency sample."""
    slow: float = 0
    """Of those, the ones above the latency limit."""
    overloaded: float = 0
    """Attempts answered 429."""

    def usable(self) -> bool:
        """Whether every field is a count. NaN, infinities and negative numbers are not."""
        return (
            0 <= self.attempts < LARGEST_COUNT
            and 0 <= self.failures < LARGEST_COUNT
            and 0 <= self.shared < LARGEST_COUNT
            and 0 <= self.timed < LARGEST_COUNT
            and 0 <= self.slow < LARGEST_COUNT
            and 0 <= self.overloaded < LARGEST_COUNT
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One gateway pod's answer."""

    gateway: str
    started: str
    """Names the process: counters of another one start from zero."""
    at_seconds: float
    """By the gateway's own clock, compared with nothing but itself."""
    weight_percent: float
    """The candidate's weight that this gateway applies now."""
    candidate: Counters
    stable: Counters


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at all gateways. A gateway that did not answer is left out."""

    at_seconds: float
    """By the operator's clock."""
    readings: tuple[Reading, ...] = ()
    ejected: bool = False
    """The gateways have ejected every candidate endpoint by themselves."""
    stale_seconds: float = STALE_SECONDS
    """Without anything new for longer than this, a rollout is blind: what is scraped has news less often."""
