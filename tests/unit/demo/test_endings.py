from typing import Any

import pytest
from tests.demo.endings import Ending, find_ending
from tests.unit.builders import serving_body
from tests.unit.cli.plugin.statuses import decision, ended, status

from fairlead.api.resource import parse_model_deployment
from fairlead.api.rollout_status import Outcome

SINCE = "2026-05-04T11:50:00Z"


def ending_of(version: str, *entries: dict[str, Any]) -> Ending | None:
    body = serving_body(status=status(history=list(entries)), model={"name": "churn", "alias": "candidate"})
    return find_ending(parse_model_deployment(body), version)


def test_a_version_without_an_entry_has_not_ended() -> None:
    assert ending_of("8", ended("RolledBack", version="7")) is None


def test_brake_and_roll_back_are_timed_from_the_first_share() -> None:
    braked = {**decision("brake", 5), "at": "2026-05-04T11:50:04.100Z"}
    again = {**decision("brake", 5), "at": "2026-05-04T11:50:20Z"}
    entry = ended("RolledBack", since=SINCE, ended="2026-05-04T11:50:31Z", decisions=[braked, again])
    found = ending_of("7", entry)
    assert found is not None
    assert (found.braked_seconds, found.ended_seconds) == (4.1, 31.0)
    assert found.describe() == "braked after 4.1 s, rolled back after 31.0 s (ErrorsAboveStable)"


def test_a_version_that_never_got_a_share_has_no_times() -> None:
    found = ending_of("7", ended("RolledBack", reason="UnsupportedFlavor"))
    assert found is not None
    assert found.describe() == "rolled back, no share (UnsupportedFlavor)"


def test_a_promotion_needs_no_reason() -> None:
    found = ending_of("7", ended("Promoted", since=SINCE, ended="2026-05-04T11:51:00Z", told=True))
    assert found is not None
    assert (found.describe(), found.told) == ("promoted after 60.0 s", True)


@pytest.mark.parametrize("order", [1, -1])
def test_the_newest_ending_of_the_version_counts_and_a_retry_is_none(order: int) -> None:
    entries = [ended("Superseded"), ended("Promoted")][::order]
    found = ending_of("7", *entries, ended("Retried"))
    assert found is not None
    assert found.outcome is (Outcome.PROMOTED if order == 1 else Outcome.SUPERSEDED)
