"""From cumulative counters to what is new: resets, repeats, late and broken readings add nothing."""

from dataclasses import dataclass
from math import isfinite

from fairlead.core.evidence.sample import Counters, Reading

MAX_GATEWAYS = 12
"""Gateways whose counters are remembered, so that the state stays small; more than these add nothing."""


@dataclass(frozen=True, slots=True)
class ArmCount:
    """What one arm did: since ever in `Kept`, in one look in `Look`."""

    attempts: int = 0
    failures: int = 0
    timed: int = 0
    slow: int = 0
    overloaded: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """The counts of a gateway process that have been taken into account."""

    gateway: str
    started: str
    at_seconds: float
    candidate: ArmCount
    stable: ArmCount


@dataclass(frozen=True, slots=True)
class Look:
    """What is new at one gateway."""

    candidate: ArmCount
    stable: ArmCount
    weight_percent: float


def _baseline(counters: Counters) -> ArmCount:
    failures = max(0, int(counters.failures) - int(counters.shared))
    return ArmCount(int(counters.attempts), failures, int(counters.timed), int(counters.slow), int(counters.overloaded))


def _raised(kept: ArmCount, counters: Counters) -> tuple[ArmCount, ArmCount]:
    """(kept, new). A part is never counted before its whole: Envoy's counters are not read in one instant, so a
    failure may show one look before its attempt, and is then counted with it."""
    attempts = max(0, int(counters.attempts) - kept.attempts)
    failures = min(attempts, max(0, int(counters.failures) - int(counters.shared) - kept.failures))
    timed = max(0, int(counters.timed) - kept.timed)
    slow = min(timed, max(0, int(counters.slow) - kept.slow))
    overloaded = min(attempts, max(0, int(counters.overloaded) - kept.overloaded))
    new = ArmCount(attempts, failures, timed, slow, overloaded)
    total = ArmCount(
        kept.attempts + attempts,
        kept.failures + failures,
        kept.timed + timed,
        kept.slow + slow,
        kept.overloaded + overloaded,
    )
    return total, new


def _restarted(kept: Kept, reading: Reading) -> bool:
    """Whether the counters began anew. At a later moment of the same clock a cumulative counter can only be lower
    when it was reset; at an earlier one the reading is merely late."""
    if kept.started != reading.started:
        return True
    lower = reading.candidate.attempts < kept.candidate.attempts or reading.stable.attempts < kept.stable.attempts
    return lower and reading.at_seconds > kept.at_seconds


def absorb(kept: tuple[Kept, ...], readings: tuple[Reading, ...]) -> tuple[tuple[Kept, ...], list[Look], bool]:
    """(what is kept now, what is new per gateway, whether any gateway said something new).

    The first reading of a process is a baseline: what it counted before is not this rollout's. So a restart of a
    gateway, or of the operator, loses evidence and never adds any.
    """
    by_name = {one.gateway: one for one in kept}
    looks: list[Look] = []
    fresh = False
    for reading in readings:
        if not (reading.candidate.usable() and reading.stable.usable() and isfinite(reading.at_seconds)):
            continue
        before = by_name.pop(reading.gateway, None)
        at_seconds = reading.at_seconds
        if before is None or _restarted(before, reading):
            fresh = True
            candidate, stable = _baseline(reading.candidate), _baseline(reading.stable)
        else:
            candidate, new_candidate = _raised(before.candidate, reading.candidate)
            stable, new_stable = _raised(before.stable, reading.stable)
            looks.append(Look(new_candidate, new_stable, reading.weight_percent))
            counted = bool(new_candidate.attempts or new_stable.attempts)
            if not counted:
                # A late reading must not make the next one look like a reset; a clock that was set back has news.
                at_seconds = max(at_seconds, before.at_seconds)
            # Nor may one that is late for ever, from a source that stands still, pass for news at every look.
            fresh = fresh or reading.at_seconds > before.at_seconds or (counted and at_seconds < before.at_seconds)
        by_name[reading.gateway] = Kept(reading.gateway, reading.started, at_seconds, candidate, stable)
    # The gateways seen last are at the end, so those that went away fall off first.
    return tuple(by_name.values())[-MAX_GATEWAYS:], looks, fresh
