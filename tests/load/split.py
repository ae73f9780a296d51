"""Whether requests were split as they should have been. Pure."""

from math import exp, lgamma, log, log1p

CONFIDENCE = 0.999


def binomial_band(total: int, share: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """The least and the most of `total` that fall on a share (0 to 1) with at least this probability, tails alike."""
    if not 0 < share < 1:
        certain = total if share >= 1 else 0
        return certain, certain
    tail = (1 - confidence) / 2
    chances = [_chance(count, total, share) for count in range(total + 1)]
    return _first_above(chances, tail), total - _first_above(chances[::-1], tail)


def _chance(count: int, total: int, share: float) -> float:
    ways = lgamma(total + 1) - lgamma(count + 1) - lgamma(total - count + 1)
    return exp(ways + count * log(share) + (total - count) * log1p(-share))


def _first_above(chances: list[float], tail: float) -> int:
    """How many outcomes from this end together stay within the tail."""
    together = 0.0
    for index, chance in enumerate(chances):
        together += chance
        if together > tail:
            return index
    return len(chances) - 1
