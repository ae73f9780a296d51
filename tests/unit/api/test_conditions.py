"""Conditions: which is set, and when its time moves."""

from datetime import UTC, datetime, timedelta

from fairlead.api.conditions import ConditionStatus, ConditionType, condition, merge_conditions
from fairlead.api.reasons import Reason

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = T0 + timedelta(minutes=1)

READY = condition(ConditionType.READY, True, Reason.SERVING, "2 of 2 pods are ready")
NOT_READY = condition(ConditionType.READY, False, Reason.PODS_NOT_READY, "0 of 2 pods are ready")


def test_a_condition_carries_the_reason_as_its_word() -> None:
    wire = READY.wire()
    assert (wire["type"], wire["status"], wire["reason"]) == ("Ready", "True", "Serving")
    assert NOT_READY.status is ConditionStatus.FALSE


def test_what_nobody_knows_is_neither_true_nor_false() -> None:
    found = condition(ConditionType.PROGRAMMED, None, Reason.GATEWAY_UNREACHABLE)
    assert found.status is ConditionStatus.UNKNOWN


def test_a_long_message_is_cut_to_what_the_schema_takes() -> None:
    assert len(condition(ConditionType.READY, False, Reason.REJECTED, "x" * 5000).message) == 2048


def test_a_new_condition_gets_the_time_and_the_generation() -> None:
    (merged,) = merge_conditions((), [READY], generation=3, now=T0)
    assert (merged.observed_generation, merged.last_transition_time) == (3, T0)


def test_the_time_stays_while_the_status_stays_even_if_reason_and_generation_change() -> None:
    old = merge_conditions((), [NOT_READY], generation=1, now=T0)
    other = condition(ConditionType.READY, False, Reason.STARTING)
    (merged,) = merge_conditions(old, [other], generation=2, now=T1)
    assert merged.last_transition_time == T0
    assert (merged.reason, merged.observed_generation) == ("Starting", 2)


def test_the_time_moves_when_the_status_flips() -> None:
    old = merge_conditions((), [NOT_READY], generation=1, now=T0)
    (merged,) = merge_conditions(old, [READY], generation=1, now=T1)
    assert merged.last_transition_time == T1


def test_a_condition_that_is_no_longer_set_goes() -> None:
    stalled = condition(ConditionType.STALLED, True, Reason.IMAGE_NOT_FOUND)
    old = merge_conditions((), [NOT_READY, stalled], generation=1, now=T0)
    assert [item.type for item in merge_conditions(old, [READY], generation=1, now=T1)] == ["Ready"]
