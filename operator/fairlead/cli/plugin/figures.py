"""Numbers and times as people read them."""

from datetime import UTC, datetime
from math import isfinite

_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def spell_duration(seconds: float) -> str:
    """The two largest units: `2d4h`, `12m`, `45s`; never less than `0s`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or (not left and not parts and unit == "s"):
            parts.append(f"{number}{unit}")
        elif parts:
            break
    return "".join(parts[:2])


def spell_since(moment: datetime, now: datetime) -> str:
    """How long ago a moment was."""
    return spell_duration((now - moment).total_seconds())


def spell_time(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def spell_percent(percent: float) -> str:
    """`5%`, `12.5%`."""
    return f"{percent:g}%"


def spell_evidence(value: float) -> str:
    """Three digits that count; huge values by their power of ten."""
    return f"{value:.3g}" if isfinite(value) else "beyond counting"


def count_of(number: int, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
