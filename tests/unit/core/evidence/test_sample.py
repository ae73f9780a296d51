"""What one look sees."""

import pytest

from fairlead.core.evidence.sample import Counters

FIELDS = ("attempts", "failures", "shared", "timed", "slow", "overloaded")


def test_counts_up_to_a_million_millions_are_usable() -> None:
    assert Counters(*[1e12] * 6).usable()
    assert Counters().usable()


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 2.0**53])
def test_a_field_that_is_no_count_makes_the_reading_useless(name: str, value: float) -> None:
    assert not Counters(**{name: value}).usable()
