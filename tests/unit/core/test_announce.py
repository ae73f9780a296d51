"""Which events a change of conditions makes."""

import pytest

from fairlead.api.conditions import Condition, ConditionType, condition
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.core.announce import announce
from fairlead.core.effects import Announcement

STARTING = condition(ConditionType.READY, False, Reason.STARTING, "0 of 1 pods ready")
SERVING = condition(ConditionType.READY, True, Reason.SERVING, "revision a answers")
CRASHED = condition(ConditionType.STALLED, True, Reason.CONTAINER_CRASHED, "exited")


def test_a_new_reason_is_announced_with_its_message() -> None:
    assert announce([STARTING], [SERVING]) == (Announcement("Normal", Reason.SERVING, "revision a answers"),)


def test_what_stays_is_not_announced_even_with_another_message() -> None:
    assert announce([STARTING], [STARTING.model_copy(update={"message": "1 of 2 pods ready"})]) == ()
    assert announce([SERVING, CRASHED], [SERVING]) == ()


def test_two_conditions_with_one_reason_are_one_event() -> None:
    both = [condition(ConditionType.READY, False, Reason.CONTAINER_CRASHED, "x"), CRASHED]
    assert len(announce([], both)) == 1


def test_that_a_new_resource_starts_is_no_news_but_its_trouble_is() -> None:
    assert announce([], [STARTING]) == ()
    assert [item.reason for item in announce([], [STARTING, CRASHED])] == [Reason.CONTAINER_CRASHED]


def test_good_news_that_come_together_are_one_event_and_hide_no_trouble() -> None:
    rolled_out = condition(ConditionType.ROLLED_OUT, True, Reason.ROLLED_OUT, "revision a serves")
    assert [item.reason for item in announce([STARTING], [SERVING, rolled_out])] == [Reason.ROLLED_OUT]
    three = announce([STARTING], [SERVING, CRASHED, rolled_out])
    assert [item.reason for item in three] == [Reason.CONTAINER_CRASHED, Reason.ROLLED_OUT]


def test_that_gateways_take_a_change_up_is_no_news_and_that_they_refuse_it_is() -> None:
    def programmed(holds: bool, reason: Reason) -> Condition:
        return condition(ConditionType.PROGRAMMED, holds, reason, "2 of 2 gateway pods serve generation 7")

    pending, done = programmed(False, Reason.GATEWAY_PENDING), programmed(True, Reason.PROGRAMMED)
    assert announce([SERVING, pending], [SERVING, done]) == announce([SERVING, done], [SERVING, pending]) == ()
    assert [item.type for item in announce([done], [programmed(False, Reason.GATEWAY_REJECTED)])] == ["Warning"]


def test_a_reason_that_moves_to_another_condition_is_announced() -> None:
    reconciling = condition(ConditionType.RECONCILING, True, Reason.CONTAINER_CRASHED, "first exit")
    assert announce([reconciling], [CRASHED]) == (Announcement("Warning", Reason.CONTAINER_CRASHED, "exited"),)


def test_an_event_without_a_message_says_its_reason() -> None:
    assert announce([STARTING], [condition(ConditionType.READY, True, Reason.SERVING)])[0].message == "Serving"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (Reason.UNSCHEDULABLE, "Warning"),
        (Reason.QUOTA_EXCEEDED, "Warning"),
        (Reason.REGISTRY_UNAVAILABLE, "Warning"),
        (Reason.IMAGE_PULL_FAILED, "Warning"),
        (Reason.PODS_NOT_READY, "Warning"),
        (Reason.SECRET_NOT_FOUND, "Warning"),
        (Reason.ROLLED_OUT, "Normal"),
        (Reason.TRAINING, "Normal"),
        (Reason.SCALING, "Normal"),
        *((reason, "Warning") for reason, said in EXPLAINED.items() if said.stalls),
    ],
)
def test_trouble_is_a_warning(reason: Reason, kind: str) -> None:
    assert announce([STARTING], [condition(ConditionType.READY, False, reason)])[0].type == kind
