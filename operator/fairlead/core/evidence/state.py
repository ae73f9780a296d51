"""Everything a rollout remembers between two looks. A value: small, versioned, and complete."""

from dataclasses import dataclass
from enum import StrEnum

from fairlead.core.evidence.betting import Capital
from fairlead.core.evidence.counting import Kept

VERSION = 1


class Stage(StrEnum):
    """Where the traffic part of a rollout stands."""

    SHADOW = "Shadow"
    """It gets copies of requests, and its answers reach nobody."""
    CANARY = "Canary"
    BRAKED = "Braked"
    COOLING = "Cooling"
    GUARD = "Guard"
    ENDED = "Ended"


class Kind(StrEnum):
    """The tests that a rollout can have; each holds a part of alpha."""

    ERRORS_RELATIVE = "errorsRelative"
    ERRORS_ABSOLUTE = "errorsAbsolute"
    LATENCY_RELATIVE = "latencyRelative"
    LATENCY_ABSOLUTE = "latencyAbsolute"


@dataclass(frozen=True, slots=True)
class Test:
    """A test and what it has won so far."""

    kind: Kind
    share: float
    capital: Capital


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests of about the last minute, older ones counted less and less."""

    seconds: float = 0.0
    attempts: float = 0.0
    overloaded: float = 0.0
    stable_attempts: float = 0.0
    stable_failures: float = 0.0
    stable_timed: float = 0.0
    stable_slow: float = 0.0


@dataclass(frozen=True, slots=True)
class Count:
    """Candidate requests since some moment."""

    attempts: int = 0
    failures: int = 0
    slow: int = 0
    looks: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """One rollout. `observed_seconds` is time under observation; blind time does not count."""

    weight_percent: float
    stage: Stage = Stage.CANARY
    step: int = 0
    """Index of the step; -1: the shadow before the first one; as many as there are steps: the guard."""
    clock_seconds: float = 0.0
    observed_seconds: float = 0.0
    blind_seconds: float = 0.0
    waited_seconds: float = 0.0
    """Since the last step, with nothing left to wait for but evidence."""
    floor_percent: float = 0.0
    """The greater weight whose requests may still be under way until `floor_until_seconds`."""
    floor_until_seconds: float = 0.0
    since_seconds: float = 0.0
    """When (observed) the stage or step began."""
    brakes: int = 0
    strikes: int = 0
    """Unshielded brakes without a clean step in between."""
    approved: bool = False
    """Somebody has approved of what comes after this step."""
    step_count: Count = Count()
    """At this step, from when all gateways apply its weight."""
    first_count: Count = Count()
    """Until the first success."""
    clean_count: Count = Count()
    """While braked, or a shadow, since the last burst of failures."""
    recent: Recent = Recent()
    short_seconds: float = 0.0
    long_seconds: float = 0.0
    """When (observed) the open windows began."""
    tests: tuple[Test, ...] = ()
    gateways: tuple[Kept, ...] = ()
    version: int = VERSION
