"""Durations and quantities, over all that a user may write."""

import re
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.crd import schema_of
from fairlead.api.model_deployment import Rollout
from fairlead.api.pod import EmptyDirSource
from fairlead.api.scalars import parse_duration, parse_limit, parse_quantity

PARTS = st.tuples(*[st.none() | st.integers(0, 999_999)] * 3).filter(lambda parts: any(p is not None for p in parts))
SUFFIXES = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
DEADLINE = re.compile(schema_of(Rollout)["properties"]["progressDeadline"]["pattern"])
QUANTITY = re.compile(schema_of(EmptyDirSource)["properties"]["sizeLimit"]["pattern"])


def written(parts: tuple[int | None, ...]) -> str:
    return "".join(f"{part}{unit}" for part, unit in zip(parts, "hms", strict=True) if part is not None)


@given(PARTS)
def test_a_duration_is_the_sum_of_its_parts(parts: tuple[int | None, ...]) -> None:
    hours, minutes, seconds = (part or 0 for part in parts)
    assert parse_duration(written(parts)) == timedelta(hours=hours, minutes=minutes, seconds=seconds)


@given(st.text(max_size=12) | st.from_regex(r"[0-9hms. -]{1,10}", fullmatch=True) | PARTS.map(written))
def test_whatever_the_api_server_lets_in_as_a_deadline_can_be_parsed_and_nothing_else(text: str) -> None:
    let_in = DEADLINE.fullmatch(text) is not None and len(text) >= 2
    try:
        parse_limit(text)
    except ValueError:
        assert not let_in
    else:
        assert let_in


@given(st.text(max_size=8) | st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,3})?[numkMGTPEi]{0,2}", fullmatch=True))
def test_whatever_the_api_server_lets_in_as_a_quantity_can_be_parsed_and_nothing_else(text: str) -> None:
    try:
        amount = parse_quantity(text)
    except ValueError:
        assert QUANTITY.fullmatch(text) is None
    else:
        assert QUANTITY.fullmatch(text) is not None
        assert amount >= 0


@given(st.integers(0, 10**9), SUFFIXES)
def test_a_thousandth_of_a_thousand_is_the_quantity_itself(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") * 1000 == parse_quantity(f"{number * 1000}{suffix}")


@given(st.integers(0, 10**6))
def test_spellings_of_one_amount_are_equal(number: int) -> None:
    assert parse_quantity(f"{number * 1024}Mi") == parse_quantity(f"{number}Gi")
    assert parse_quantity(f"{number * 1000}m") == parse_quantity(number) == Decimal(number)
