"""What people ask for beside the spec."""

import pytest
from tests.unit.builders import revision_of
from tests.unit.core.serving.story import NEW, canary_body, serving
from tests.unit.core.serving.test_rollouts import on_its_way


def test_promote_skips_what_is_left_of_the_steps_and_then_of_the_guard() -> None:
    story, old, new = on_its_way()
    story.request = f"promote@{new}#1"
    story.settle()
    assert story.status.last_request and not story.status.last_request.accepted
    assert "1 ready pods, and needs 4" in story.status.last_request.message
    story.objects["Deployment", new]["status"]["readyReplicas"] = 4
    story.request = f"promote@{new}#2"
    story.settle()
    assert story.weights == {old: 5, new: 95} and story.status.phase == "Guard"
    story.request = f"promote@{new}#3"
    story.settle()
    assert story.weights == {new: 100} and story.status.history[-1].outcome == "Promoted"


def test_abort_goes_back_holds_nothing_against_the_revision_and_does_not_try_it_again_until_asked() -> None:
    for until in ("Canary", "Guard"):
        story, old, new = on_its_way(until=until)
        story.request = f"abort@{new}#a"
        story.settle()
        assert story.weights == {old: 100} and story.status.quarantine == ()
        assert (story.status.history[-1].outcome, story.status.phase) == ("Aborted", "Inconclusive")
        story.run(20)
        assert story.weights == {old: 100}
        story.request = f"retry@{new}#b"
        story.settle()
        story.run(20, until="Canary")
        assert new in story.weights


def test_a_quarantined_revision_is_tried_again_when_somebody_asks() -> None:
    story = serving()
    new = story.ship(NEW)
    story.failing[new] = 1.0
    story.settle()
    story.run(90, until="RolledBack")
    story.failing.clear()
    story.request = f"retry@{new}#again"
    story.settle()
    assert story.status.quarantine == ()
    story.run(60, until="Guard")


def test_a_pause_by_request_stands_until_it_is_taken_back() -> None:
    story, old, new = on_its_way()
    story.request = f"pause@{new}#1"
    story.run(30)
    assert (story.weights, story.status.phase) == ({old: 90, new: 10}, "Paused")
    story.request = f"resume@{new}#2"
    story.run(30, until="Guard")


def test_a_manual_step_waits_for_an_approval_and_needs_no_other() -> None:
    steps = [{"weight": 10, "minRequests": 20, "minDuration": "5s", "approval": "manual"}, {"weight": 50}]
    story, old, new = on_its_way(canary={"steps": steps})
    story.run(40, until="AwaitingApproval")
    assert story.weights == {old: 90, new: 10}
    story.restart()
    story.request = f"approve@{new}#yes"
    story.settle()
    story.run(3)
    assert story.weights == {old: 50, new: 50}
    story.request = f"approve@{new}#no"
    story.settle()
    assert story.status.last_request and "nobody's approval" in story.status.last_request.message


def test_a_refresh_rolls_the_same_inputs_out_as_another_revision_and_is_not_lost_with_the_status() -> None:
    story = serving(canary_body())
    old = revision_of(story.body)
    story.request = f"refresh@{old}#r1"
    story.settle()
    story.run(3)
    new = next(name for name in story.weights if name != old)
    assert story.status.last_request and story.status.last_request.accepted
    assert story.weights == {old: 90, new: 10}
    story.run(90, until="Stable")
    assert story.weights == {new: 100}
    story.retire()
    del story.body["status"]
    story.remembered = None
    story.settle()
    story.run(5)
    assert (story.weights, story.status.candidate) == ({new: 100}, None)


def test_a_refresh_waits_for_no_rollout() -> None:
    story, old, new = on_its_way()
    story.request = f"refresh@{old}#1"
    story.settle()
    answer = story.status.last_request
    assert answer and not answer.accepted and f"{new} is on its way" in answer.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("promote@churn-00000000#1", "was about revision churn-00000000"),
        ("delete@churn-00000000#1", "expected one of the verbs promote"),
        ("nonsense", "expected <verb>@<revision>#<nonce>, got 'nonsense'"),
        ("retry@churn-00000000#1", "neither quarantined nor held back"),
        ("refresh@churn-00000000#1", "serves now"),
    ],
)
def test_what_cannot_be_done_is_answered_once_and_changes_nothing(text: str, said: str) -> None:
    story, old, new = on_its_way()
    story.request = text
    story.settle()
    answer = story.status.last_request
    assert answer and not answer.accepted and said in answer.message
    story.writes.clear()
    story.settle()
    assert story.writes == [] and story.weights == {old: 90, new: 10}


def test_without_a_rollout_nothing_is_promoted_paused_or_aborted() -> None:
    for verb in ("promote", "pause", "resume", "abort", "approve"):
        story = serving(canary_body())
        story.request = f"{verb}@{revision_of(story.body)}#1"
        story.settle()
        assert story.status.last_request and not story.status.last_request.accepted
        assert story.status.phase == "Stable"


def test_a_request_that_a_restored_backup_brings_along_is_not_carried_out_again() -> None:
    story, _old, new = on_its_way()
    story.request = f"abort@{new}#old"
    del story.body["status"]
    story.settle()
    answer = story.status.last_request
    assert answer and not answer.accepted and "restored backup" in answer.message
    assert story.status.candidate and story.status.candidate.revision == new
