"""The first revision, which has nothing to be compared with: held to its limits, and serving whatever they say."""

from datetime import timedelta

import pytest
from tests.unit.builders import revision_of
from tests.unit.core.serving.story import NEW, OLD, Story, canary_body, serving

from fairlead.api.conditions import ConditionStatus
from fairlead.api.rollout_status import Outcome
from fairlead.core.serving.decide import LOOK_SECONDS, QUIET_SECONDS


def conditions(story: Story) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status.value, item.reason) for item in story.status.conditions}


def failed(share: float = 0.5, *, seconds: int = 120, **rollout: object) -> tuple[Story, str]:
    """A story whose first revision fails its users."""
    story = serving(canary_body(**rollout))
    first = revision_of(story.body)
    story.failing[first] = share
    story.run(seconds, until="Failed")
    return story, first


@pytest.mark.parametrize(
    ("share", "reason"), [(1.0, "EveryRequestFailed"), (0.5, "ErrorsAboveLimit"), (0.2, "ErrorsAboveLimit")]
)
def test_one_that_fails_its_users_serves_on_and_is_not_ready_any_more(share: float, reason: str) -> None:
    story, first = failed(share, guard={"duration": "10m"})
    assert story.weights == {first: 100}
    assert conditions(story)["Ready"] == ("False", reason)
    assert conditions(story)["RolledOut"] == ("False", reason)
    assert conditions(story)["Stalled"] == ("True", reason)
    (entry,) = story.status.history
    assert (entry.revision, entry.outcome, entry.reason) == (first, Outcome.FAILED, reason)
    assert [item.revision for item in story.status.quarantine] == [first]
    assert story.status.probation is None
    assert any("serves on, for there is no other" in text and "requests failed" in text for text in story.told)
    before = list(story.writes)
    story.run(30)
    assert story.writes == before, "settled"


def test_one_that_keeps_its_limits_is_off_probation_when_it_has_had_time_and_requests() -> None:
    story = serving()
    assert story.status.probation is not None
    story.run(19)
    assert story.status.probation is not None, "guard.duration is 20 s"
    story.run(5)
    assert story.status.probation is None
    assert (story.status.phase, story.status.history, story.status.evidence) == ("Stable", (), None)
    story.failing[revision_of(story.body)] = 1.0
    story.run(60)
    assert story.status.phase == "Stable", "nobody watches it for ever: alerts do"


def test_it_is_looked_at_every_second_only_while_more_fails_than_may() -> None:
    story = serving(canary_body(guard={"duration": "10m"}))
    first = revision_of(story.body)
    assert story.settle().requeue_after_seconds == pytest.approx(QUIET_SECONDS, abs=1)
    story.failing[first] = 0.2
    story.run(5)
    assert story.status.probation and story.status.probation.suspect
    assert story.settle().requeue_after_seconds == pytest.approx(LOOK_SECONDS, abs=1)
    story.failing[first] = 0.0
    story.run(100)
    assert story.status.probation and not story.status.probation.suspect
    assert story.status.phase == "Stable"


def test_without_enough_requests_it_stays_and_is_judged_when_they_come() -> None:
    story = serving()
    story.rate = 0
    story.run(60)
    assert story.status.probation is not None
    writes = list(story.writes)
    story.run(60)
    assert story.writes == writes, "no news is not written"
    assert story.settle().requeue_after_seconds == pytest.approx(QUIET_SECONDS, abs=1)
    story.rate, story.failing[revision_of(story.body)] = 100, 1.0
    story.run(10, until="Failed")


def test_it_ends_at_the_hold_deadline_when_nobody_asks_anything() -> None:
    story = serving(canary_body(holdDeadline="2m"))
    story.rate = 0
    story.now += timedelta(minutes=3)
    story.run(1)
    assert story.status.probation is None
    assert story.status.phase == "Stable"


def test_what_replaces_a_failed_one_takes_over_as_soon_as_it_is_ready_and_is_on_probation_itself() -> None:
    story, first = failed()
    second = story.ship(NEW)
    story.unready.add(second)
    story.settle()
    assert story.replicas[second] == story.replicas[first] == 4, "all of its pods, for all of the traffic"
    assert conditions(story)["Ready"][0] == "False"
    story.ready(second)
    story.settle()
    assert story.weights == {second: 100}
    assert (story.status.phase, conditions(story)["Ready"]) == ("Stable", ("True", "Serving"))
    assert story.status.probation and story.status.probation.revision == second
    story.run(60)
    third = story.ship(OLD + "-fixed")
    story.settle()
    story.run(10, until="Canary")
    assert story.weights == {second: 90, third: 10}, "the one that has passed is something to lose"


def test_going_back_to_a_failed_one_is_refused_for_what_it_did() -> None:
    story, first = failed()
    second = story.ship(NEW)
    story.settle()
    story.ship(OLD)
    story.settle()
    assert story.weights == {second: 100}
    assert conditions(story)["RolledOut"] == ("False", "ErrorsAboveLimit")
    assert conditions(story)["Ready"] == ("True", "Serving")
    assert first in story.status.conditions[1].message


def test_retry_forgets_the_failure_and_puts_it_on_probation_again() -> None:
    story, first = failed()
    story.request = f"retry@{first}#again"
    story.settle()
    assert (story.status.phase, conditions(story)["Ready"]) == ("Stable", ("True", "Serving"))
    assert story.status.probation and story.status.probation.revision == first
    story.run(120, until="Failed")


def test_what_was_seen_outlives_the_operator() -> None:
    story = serving(canary_body(guard={"duration": "10m"}))
    first = revision_of(story.body)
    story.failing[first] = 0.2
    story.run(40)
    known = story.status.probation
    assert known and known.failures > 0
    story.restart()
    story.run(1)
    assert story.status.probation and story.status.probation.failures >= known.failures
    story.run(60, until="Failed")


@pytest.mark.parametrize("how", ["paused", "observe", "no canary"])
def test_nobody_is_failed_where_nobody_wants_it(how: str) -> None:
    body = canary_body(**({"checks": {"mode": "observe"}} if how == "observe" else {}))
    if how == "no canary":
        del body["spec"]["rollout"]["canary"]
    story = serving(body)
    if how == "paused":
        story.edit(paused=True)
    story.failing[revision_of(story.body)] = 1.0
    story.run(15)
    assert not story.status.quarantine
    assert {item.status for item in story.status.conditions if item.type == "Ready"} == {ConditionStatus.TRUE}


def test_a_limit_of_latency_is_counted_by_the_gateway_while_it_lasts() -> None:
    story = serving(canary_body(checks={"maxLatencyP99": "200ms"}, guard={"duration": "3m"}))
    first = revision_of(story.body)
    assert story.status.traffic and story.status.traffic.latency_limit == "200ms"
    story.slow[first] = 0.5
    story.run(180, until="Failed")
    assert conditions(story)["Ready"] == ("False", "LatencyAboveLimit")
    assert story.status.traffic.latency_limit == "off"
