"""Merging conditions, over all sequences of what a reconcile may say."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.conditions import Condition, ConditionType, condition, merge_conditions
from fairlead.api.reasons import Reason

START = datetime(2026, 1, 1, tzinfo=UTC)
SAID = st.dictionaries(st.sampled_from(ConditionType), st.tuples(st.booleans(), st.sampled_from(Reason)), max_size=5)


def _conditions(said: dict[ConditionType, tuple[bool, Reason]]) -> list[Condition]:
    return [condition(kind, holds, reason) for kind, (holds, reason) in said.items()]


@given(st.lists(SAID, min_size=1, max_size=8))
def test_a_condition_s_time_is_that_of_the_last_flip_of_its_status(
    steps: list[dict[ConditionType, tuple[bool, Reason]]],
) -> None:
    merged: tuple[Condition, ...] = ()
    since: dict[str, tuple[str, datetime]] = {}
    for number, said in enumerate(steps):
        now = START + timedelta(minutes=number)
        merged = merge_conditions(merged, _conditions(said), generation=number, now=now)
        before, since = since, {}
        for item in merged:
            status, time = before.get(item.type, ("", now))
            since[item.type] = (item.status, time if status == item.status else now)
            assert item.last_transition_time == since[item.type][1]
            assert item.observed_generation == number
        assert [item.type for item in merged] == [kind.value for kind in said]


@given(SAID, st.integers(0, 9))
def test_saying_the_same_again_changes_nothing(said: dict[ConditionType, tuple[bool, Reason]], generation: int) -> None:
    once = merge_conditions((), _conditions(said), generation=generation, now=START)
    again = merge_conditions(once, _conditions(said), generation=generation, now=START + timedelta(hours=1))
    assert again == once
