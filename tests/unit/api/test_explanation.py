"""How a reason is explained."""

from fairlead.api.explanation import Explanation


def test_most_reasons_wait_for_nobody() -> None:
    assert not Explanation("It happens.", "Wait.").stalls
