"""Readings for tests: cumulative counters of one gateway, second by second."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.evidence.state import Stage, State
from fairlead.core.rollout.decide import Verdict, begin, decide
from fairlead.core.rollout.orders import NO_ORDERS, Orders

Second = tuple[int, int, int, int]
"""Candidate attempts and failures, stable attempts and failures."""


def reading(
    candidate: Counters,
    stable: Counters,
    *,
    at: float = 0.0,
    gateway: str = "gw-0",
    started: str = "p1",
    weight: float = 5,
) -> Reading:
    """One gateway's answer."""
    return Reading(gateway, started, at, weight, candidate, stable)


@dataclass
class Gateway:
    """Adds up what both arms did, as a gateway would."""

    name: str = "gw-0"
    started: str = "p1"
    candidate: list[float] = field(default_factory=lambda: [0.0] * 6)
    stable: list[float] = field(default_factory=lambda: [0.0] * 6)

    def serve(self, second: Second, slow: tuple[int, int] = (0, 0), overloaded: int = 0, shared: int = 0) -> None:
        """One second of traffic."""
        attempts, failures, stable_attempts, stable_failures = second
        mine = (attempts, failures, shared, attempts - failures, slow[0], overloaded)
        theirs = (stable_attempts, stable_failures, 0, stable_attempts - stable_failures, slow[1], 0)
        self.candidate = [a + b for a, b in zip(self.candidate, mine, strict=True)]
        self.stable = [a + b for a, b in zip(self.stable, theirs, strict=True)]

    def reading(self, at: float, weight: float) -> Reading:
        """What it answers now."""
        return Reading(self.name, self.started, at, weight, Counters(*self.candidate), Counters(*self.stable))


@dataclass
class Rollout:
    """The product's decisions over made-up seconds."""

    policy: Policy = field(default_factory=Policy)
    clock: float = 1000.0
    gateway: Gateway = field(default_factory=Gateway)
    verdicts: list[Verdict] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = begin(self.policy)
        self.look()

    def look(self, *, ejected: bool = False, orders: Orders = NO_ORDERS) -> Verdict:
        """One look at the gateway."""
        sample = Sample(self.clock, (self.gateway.reading(self.clock + 90, self.state.weight_percent),), ejected)
        return self.take(sample, orders)

    def take(self, sample: Sample, orders: Orders = NO_ORDERS) -> Verdict:
        """One sample of the test's own."""
        self.state, verdict = decide(self.policy, self.state, sample, orders)
        self.verdicts.append(verdict)
        self.states.append(self.state)
        return verdict

    def serve(self, seconds: int, each: Callable[[float], Second], **more: object) -> Verdict:
        """So many seconds of traffic, each from the weight; stops when the rollout ends. The last verdict."""
        verdict = self.verdicts[-1]
        for _ in range(seconds):
            self.gateway.serve(each(self.state.weight_percent), **more)  # type: ignore[arg-type]
            self.clock += 1
            verdict = self.look()
            if self.state.stage is Stage.ENDED:
                break
        return verdict


def steady(rate: int = 100, bad: float = 0.0, good: float = 0.0) -> Callable[[float], Second]:
    """Even traffic: exactly the expected number of failures, but for rounding."""
    left = [0.0, 0.0]

    def second(weight: float) -> Second:
        mine = round(rate * weight / 100)
        theirs = rate - mine
        left[0] += mine * bad
        left[1] += theirs * good
        failed, stable_failed = int(left[0]), int(left[1])
        left[0] -= failed
        left[1] -= stable_failed
        return mine, failed, theirs, stable_failed

    return second
