"""A look as a bet sees it: how many hits the candidate had, and how many it would have had by chance."""

from typing import NamedTuple

ENOUGH_PER_ARM = 5
"""Expected requests of the smaller arm from which on the observed share of a look replaces the configured weight."""


class Tally(NamedTuple):
    """`hits` of `trials` are the candidate's, where `expected` would be by chance, and between `low` and `high` are
    possible. All of it adds up over gateways and over looks, whatever the weights were meanwhile."""

    hits: float = 0.0
    trials: float = 0.0
    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.hits + other.hits,
            self.trials + other.trials,
            self.expected + other.expected,
            self.low + other.low,
            self.high + other.high,
        )


NOTHING = Tally()


def relative(candidate: int, stable: int, hits: int, other: int, *, weight: float, floor: float) -> Tally:
    """The failures of both arms in one look at one gateway; trials are failures, hits those of the candidate.

    With enough requests the look is a 2x2 table with given margins: by chance a failure is the candidate's with its
    share of the completed attempts, and the margins bound what can happen. With few, that share is often 0 or 1 and
    says nothing; then a failure is the candidate's with the configured weight, because the gateway draws the arm.
    Which of the two is decided by the number of requests of both arms together, never by the outcome.
    `floor` is a share below which the expectation must not fall: requests of a greater weight may still complete.
    """
    failed = hits + other
    if not failed:
        return NOTHING
    total = candidate + stable
    if total * min(weight, 1.0 - weight) >= ENOUGH_PER_ARM:
        low, high = float(max(0, failed - stable)), float(min(failed, candidate))
        share = max(candidate / total, floor)
    else:
        low, high = 0.0, float(failed)
        share = max(weight, floor)
    return Tally(float(hits), float(failed), min(max(share * failed, low), high), low, high)


def absolute(attempts: int, hits: int, limit: float) -> Tally:
    """The candidate's own failures against a limit; trials are attempts."""
    return Tally(float(hits), float(attempts), limit * attempts, 0.0, float(attempts)) if attempts else NOTHING
