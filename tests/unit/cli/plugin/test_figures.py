"""Numbers and times as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from math import inf

import pytest

from fairlead.cli.plugin.figures import (
    count_of,
    spell_duration,
    spell_evidence,
    spell_percent,
    spell_since,
    spell_time,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.4, "0s"),
        (45, "45s"),
        (60, "1m"),
        (90, "1m30s"),
        (720, "12m"),
        (3600, "1h"),
        (3661, "1h1m"),
        (3601, "1h"),
        (93_600, "1d2h"),
        (86_460, "1d"),
        (10 * 86_400, "10d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert spell_duration(seconds) == text


def test_a_time_is_told_in_utc() -> None:
    there = datetime(2026, 5, 4, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert spell_time(there) == "2026-05-04 12:00:00Z"
    assert spell_since(there, datetime(2026, 5, 4, 12, 1, tzinfo=UTC)) == "1m"


def test_numbers_have_no_more_digits_than_they_mean() -> None:
    assert [spell_percent(5), spell_percent(12.5)] == ["5%", "12.5%"]
    assert [spell_evidence(value) for value in (0.8, 99.96, 1e40, inf)] == ["0.8", "100", "1e+40", "beyond counting"]
    assert [count_of(1, "pod"), count_of(2, "pod")] == ["1 pod", "2 pods"]
