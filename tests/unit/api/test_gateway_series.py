"""What a series is about, and its number, whoever brings it."""

from math import isnan

import pytest

from fairlead.api.gateway_evidence import InvalidEvidence
from fairlead.api.gateway_series import Series, assemble, make_series, own_labels, read_number

ARM = {"modeldeployment": "churn", "revision": "churn-1", "use": "canary"}
ATTEMPTS = Series("attempts_total", "churn", "churn-1", "canary")


def test_a_series_is_made_of_exactly_its_own_labels() -> None:
    assert make_series("attempts_total", ARM, "x") == ATTEMPTS
    assert make_series("time_seconds", {}, "x") == Series("time_seconds")
    assert own_labels("attempts_total") == ("modeldeployment", "revision", "use")
    assert own_labels("from_the_future") is None


@pytest.mark.parametrize("labels", [{}, {**ARM, "pod": "a"}, {**ARM, "use": "1"}, {**ARM, "revision": "A"}])
def test_other_labels_and_other_values_are_refused_with_what_is_shown(labels: dict[str, str]) -> None:
    with pytest.raises(InvalidEvidence, match=r"^expected the "):
        make_series("attempts_total", labels, "attempts")


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("1e+06", 1e6), ("0.5", 0.5)])
def test_a_number_is_read(text: str, number: float) -> None:
    assert read_number(ATTEMPTS, text, "x") == number


@pytest.mark.parametrize("text", ["", "many", "+Inf", "1_000", " 1", "9007199254740992", "1e99"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidEvidence, match=r"^expected a number from 0 to below 2\^53 after 'x', got "):
        read_number(ATTEMPTS, text, "x")


@pytest.mark.parametrize("text", ["NaN", "-1"])
def test_a_count_may_not_be_said_but_a_time_has_to_be(text: str) -> None:
    assert isnan(read_number(ATTEMPTS, text, "x"))
    with pytest.raises(InvalidEvidence):
        read_number(Series("time_seconds"), text, "x")


def test_a_pod_tells_the_time_and_its_start() -> None:
    found = assemble({Series("time_seconds"): 3.0, Series("start_time_seconds"): 1.0, ATTEMPTS: 5.0})
    assert (found.at_seconds, found.started_seconds) == (3, 1)
    assert found.deployments["churn"].arms["churn-1", "canary"].attempts == 5
    with pytest.raises(InvalidEvidence, match="start_time_seconds"):
        assemble({Series("time_seconds"): 3.0})
