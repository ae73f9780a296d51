"""From what the pods counted to how long a bad version had its share. Pure.

Times are tenths of a second since 1970, as the pods count them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil

MIN_WIDTH = 2
ENOUGH_REQUESTS = 20
"""A tenth is smoothed over so many tenths on either side that this many requests come in them at the share in question:
a few are chance, and a probe's share would now and then be taken for a step's."""


def merged(counts: Iterable[Mapping[str, int]]) -> Counter[int]:
    """The counts of several pods together, by tenth."""
    total: Counter[int] = Counter()
    for each in counts:
        total.update({int(tenth): count for tenth, count in each.items()})
    return total


def first_failure(failures: Mapping[int, int]) -> int:
    """The tenth of the first failed attempt.

    Raises ValueError when nothing has failed.
    """
    return min(tenth for tenth, count in failures.items() if count)


def last_above(attempts: Mapping[int, int], rate: float, percent: float) -> int | None:
    """The last tenth in which the candidate got more than this share of `rate` requests a second; None: it never did,
    because the gateways ejected it before.

    Both in that tenth and in the time around it.
    """
    per_tenth = rate / 10 * percent / 100
    width = max(MIN_WIDTH, ceil((ENOUGH_REQUESTS / per_tenth - 1) / 2))

    def around(tenth: int) -> int:
        return sum(attempts.get(tenth + offset, 0) for offset in range(-width, width + 1))

    above = (
        tenth for tenth, count in attempts.items() if count > per_tenth and around(tenth) > per_tenth * (2 * width + 1)
    )
    return max(above, default=None)


def brake_seconds(attempts: Mapping[int, int], failures: Mapping[int, int], *, rate: float, percent: float) -> float:
    """From the first failed attempt to the last request above the share, both tenths included."""
    began = first_failure(failures)
    last = last_above(attempts, rate, percent)
    return (max(began, began if last is None else last) + 1 - began) / 10
