"""The first revision, which has nothing to be compared with: held to its limits, and serving whatever they say."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.builders import Body, revision_of
from tests.unit.core.serving.story import NEW, OLD, Story, canary_body, serving

from fairlead.api.conditions import ConditionStatus
from fairlead.api.rollout_status import Outcome
from fairlead.cli import replay
from fairlead.core.rollout.trial import FIRST_SECONDS
from fairlead.core.serving.decide import LOOK_SECONDS, QUIET_SECONDS


def conditions(story: Story) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status.value, item.reason) for item in story.status.conditions}


def coming_up(body: Body | None = None, *, rate: int = 100, share: float = 0.0) -> tuple[Story, str]:
    """A story whose first revision has just got its traffic, and fails a share of it."""
    story = Story(body or canary_body(guard={"duration": "10m"}), rate=rate)
    first = revision_of(story.body)
    story.failing[first] = share
    story.settle()
    return story, first


def failed(share: float = 0.5, *, seconds: int = 120, **rollout: object) -> tuple[Story, str]:
    """A story whose first revision fails its users."""
    story, first = coming_up(canary_body(**rollout), share=share)
    story.run(seconds, until="Failed")
    return story, first


def seen_ready(story: Story, seconds: int) -> int:
    """The second at which it was Ready; `seconds` when it was not."""
    for second in range(seconds):
        if conditions(story)["Ready"][0] == "True":
            return second
        story.run(1)
    return seconds


def test_the_first_one_is_ready_when_its_first_requests_kept_the_limits() -> None:
    story, first = coming_up()
    assert (story.status.phase, conditions(story)["Ready"]) == ("Starting", ("False", "OnProbation"))
    assert conditions(story)["RolledOut"] == ("False", "OnProbation")
    assert conditions(story)["Reconciling"] == ("True", "OnProbation")
    assert story.weights == {first: 100}
    assert 1 <= seen_ready(story, 10) <= 3, "150 requests"
    assert (story.status.phase, conditions(story)["RolledOut"]) == ("Stable", ("True", "RolledOut"))
    assert story.settle().requeue_after_seconds == pytest.approx(QUIET_SECONDS, abs=1)


def test_it_is_ready_after_half_a_minute_when_nobody_asks_anything() -> None:
    story, _ = coming_up(rate=0)
    assert story.settle().requeue_after_seconds == pytest.approx(LOOK_SECONDS, abs=1)
    assert seen_ready(story, 60) == FIRST_SECONDS
    writes = list(story.writes)
    story.run(60)
    assert story.writes == writes, "no news is not written"


@pytest.mark.parametrize(("share", "rate"), [(1.0, 100), (0.5, 100), (0.2, 100), (1.0, 1), (0.2, 5), (0.05, 100)])
def test_one_that_fails_its_users_is_never_ready(share: float, rate: int) -> None:
    story, _ = coming_up(rate=rate, share=share)
    for _ in range(580):  # guard.duration is ten minutes
        assert conditions(story)["Ready"][0] == "False"
        if story.status.phase == "Failed":
            break
        story.run(1)
    assert story.status.phase == "Failed"


def test_a_few_failures_among_the_first_requests_hold_it_back_until_their_share_is_as_it_may_be() -> None:
    story, first = coming_up(rate=10, share=0.5)
    story.run(2)
    assert story.status.probation and story.status.probation.suspect
    story.failing[first] = 0.0
    # The second that was seen had 5 failures, and 5 of 250 are the 2 % that may be.
    assert seen_ready(story, 120) == pytest.approx(30, abs=7)
    story.failing[first] = 0.5
    story.run(1)
    assert story.status.probation and story.status.probation.suspect
    assert conditions(story)["Ready"] == ("True", "Serving"), "a suspicion alone takes nothing back"


def test_a_suspicion_that_nothing_follows_holds_it_back_for_its_time_at_most() -> None:
    story, _ = coming_up(canary_body(guard={"duration": "2m"}), rate=1, share=1.0)
    story.run(3)
    story.rate = 0
    assert seen_ready(story, 300) == pytest.approx(117, abs=2), "it was three seconds old"


def test_a_newer_version_waits_until_the_first_one_has_shown_what_it_is() -> None:
    story, first = coming_up(share=0.5)
    second = story.ship(NEW)
    story.run(3)
    assert story.weights == {first: 100}
    assert conditions(story)["RolledOut"] == ("False", "OnProbation")
    story.run(60, until="Stable")
    assert story.weights == {second: 100}, "the first one has failed: nothing to lose"
    story, first = coming_up(rate=0)
    second = story.ship(NEW)
    story.run(40, until="Canary")
    assert story.weights == {first: 90, second: 10}


def test_a_paused_or_frozen_one_is_ready_by_its_time_alone() -> None:
    story, first = coming_up()
    story.edit(paused=True)
    story.failing[first] = 1.0
    assert seen_ready(story, 60) == pytest.approx(FIRST_SECONDS, abs=1)


def test_the_record_of_a_failure_comes_out_again_in_a_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story, _ = failed()
    (record,) = story.records
    path = tmp_path / "record.jsonl"
    path.write_text(record + "\n")
    assert replay.main([str(path), "--changes"]) == 0
    assert "fail" in capsys.readouterr().out.splitlines()[1]
    path.write_text(record.replace('"acts":true', '"acts":false') + "\n")
    assert replay.main([str(path)]) == 1
    capsys.readouterr()
    replay.main([str(path), "--set", "alpha=0.001"])
    assert "OnProbation" in capsys.readouterr().out


def test_what_was_shown_outlives_the_operator() -> None:
    story = serving()
    story.restart()
    story.run(1)
    assert conditions(story)["Ready"] == ("True", "Serving")


@pytest.mark.parametrize(
    ("share", "reason"), [(1.0, "EveryRequestFailed"), (0.5, "ErrorsAboveLimit"), (0.2, "ErrorsAboveLimit")]
)
def test_one_that_fails_its_users_serves_on_and_says_why(share: float, reason: str) -> None:
    story, first = failed(share, guard={"duration": "10m"})
    assert story.weights == {first: 100}
    assert conditions(story)["Ready"] == ("False", reason)
    assert conditions(story)["RolledOut"] == ("False", reason)
    assert conditions(story)["Stalled"] == ("True", reason)
    (entry,) = story.status.history
    assert (entry.revision, entry.outcome, entry.reason) == (first, Outcome.FAILED, reason)
    (decision,) = entry.decisions
    assert (decision.action, decision.reason, decision.weight) == ("fail", reason, 100)
    assert decision.failures > 0
    assert [item.revision for item in story.status.quarantine] == [first]
    assert story.status.probation is None
    assert any("serves on, for there is no other" in text and "requests failed" in text for text in story.told)
    before = list(story.writes)
    story.run(30)
    assert story.writes == before, "settled"


def test_one_that_keeps_its_limits_is_off_probation_when_it_has_had_time_and_requests() -> None:
    story, _ = coming_up(canary_body())
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
    story, _ = coming_up(rate=0)
    story.run(120)
    assert story.status.probation is not None
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
    assert (story.status.phase, conditions(story)["Ready"]) == ("Starting", ("False", "OnProbation"))
    assert story.status.probation and story.status.probation.revision == second
    story.run(60)
    assert (story.status.phase, conditions(story)["Ready"]) == ("Stable", ("True", "Serving"))
    third = story.ship(OLD + "-fixed")
    story.settle()
    story.run(10, until="Canary")
    assert story.weights == {second: 90, third: 10}, "the one that has passed is something to lose"


def test_going_back_to_a_failed_one_is_refused_for_what_it_did() -> None:
    story, first = failed()
    second = story.ship(NEW)
    story.run(10, until="Stable")
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
    assert (story.status.phase, conditions(story)["Ready"]) == ("Starting", ("False", "OnProbation"))
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
