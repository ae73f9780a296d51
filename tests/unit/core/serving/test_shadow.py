"""A shadow from its first copy to what follows, by the decisions that the operator makes."""

from typing import Any

import pytest
from tests.unit.builders import container_status, pod_body, revision_of
from tests.unit.core.serving.story import FAST_STEPS, NEW, NEWER, OLD, Story, canary_body, serving

from fairlead.core.evidence.record import load_state
from fairlead.core.evidence.weighing import sure_evidence

SHORT = {"percent": 20, "minRequests": 100, "minDuration": "10s"}
ALONE = {"canary": None, "shadow": SHORT}


def shadowed(*, until: str = "Shadow", **rollout: Any) -> tuple[Story, str, str]:
    """A story in which a new version has got so far; the old and the new revision."""
    story = serving(canary_body(**{"shadow": SHORT, **rollout}))
    old = revision_of(story.body)
    new = story.ship(NEW)
    story.settle()
    story.run(60, until=until)
    return story, old, new


def mirror(story: Story) -> tuple[str, int] | None:
    """Who gets copies, and of how much."""
    found = story.status.traffic and story.status.traffic.mirror
    return (found.revision, found.percent) if found else None


def conditions(story: Story) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status.value, item.reason) for item in story.status.conditions}


def test_a_good_version_answers_copies_first_and_then_goes_out_as_a_canary() -> None:
    story, old, new = shadowed()
    assert (story.weights, mirror(story)) == ({old: 100}, (new, 20))
    assert story.replicas == {old: 4, new: 1}
    assert conditions(story)["RolledOut"][0] == "False" and conditions(story)["Ready"] == ("True", "Serving")
    evidence = story.status.evidence
    assert evidence and (evidence.stage, evidence.step, evidence.steps, evidence.weight) == ("Shadow", 0, 2, 0)
    seconds = story.run(60, until="Canary")
    assert 10 <= seconds <= 15
    assert (story.weights, mirror(story)) == ({old: 90, new: 10}, None)
    story.run(100, until="Stable")
    assert story.weights == {new: 100}
    assert [(entry.revision, entry.outcome) for entry in story.status.history] == [(new, "Promoted")]


def test_the_headline_says_what_a_shadow_gets_and_has_seen() -> None:
    story, _, new = shadowed(shadow={**SHORT, "minRequests": 100_000})
    story.run(20)
    told = {item.type: item.message for item in story.status.conditions}["RolledOut"]
    assert f"revision {new}: 0% of the traffic and copies of 20% of it, as a shadow" in told
    assert "of 100000 requests, 0 failed" in told and "to hold" in told


@pytest.mark.parametrize(("share", "reason"), [(0.2, "ErrorsAboveLimit"), (1.0, "EveryRequestFailed")])
def test_a_failing_shadow_is_rolled_back_and_quarantined_and_no_user_was_ever_sent_there(
    share: float, reason: str
) -> None:
    story = serving(canary_body(shadow=SHORT))
    old, new = revision_of(story.body), story.ship(NEW)
    story.failing[new] = share
    story.settle()
    for _ in range(120):
        assert story.weights == {old: 100}
        if story.status.phase == "RolledBack":
            break
        story.run(1)
    assert story.status.phase == "RolledBack" and mirror(story) is None
    assert [(item.revision, item.reason) for item in story.status.quarantine] == [(new, reason)]
    assert "as a shadow" in story.status.history[-1].message
    story.retire()
    assert story.replicas == {old: 4}


def test_a_slow_shadow_is_rolled_back_where_latency_is_judged() -> None:
    story, old, new = shadowed(checks={"maxLatencyP99": "300ms"}, shadow={**SHORT, "minRequests": 10_000})
    assert story.status.traffic and story.status.traffic.latency_limit == "300ms"
    story.slow[new] = 0.5
    story.run(90, until="RolledBack")
    assert story.status.quarantine[0].reason.startswith("LatencyAbove") and story.weights == {old: 100}


def test_a_shadow_for_which_copies_are_dropped_passes_nothing() -> None:
    story, old, _ = shadowed()
    story.dropped = 0.5
    story.run(60)
    assert (story.status.phase, story.weights) == ("Held", {old: 100})
    assert story.status.evidence and story.status.evidence.reason == "CandidateOverloaded"
    story.dropped = 0.0
    story.run(120, until="Canary")


def test_trouble_that_both_share_is_nobody_s_fault() -> None:
    story, old, new = shadowed()
    story.failing = {old: 0.3, new: 0.3}
    story.run(60)
    assert mirror(story) == (new, 20) and story.status.phase in ("Held", "Shadow")
    story.failing = {}
    story.run(160, until="Canary")


def test_a_shadow_that_fails_for_a_moment_is_held_until_enough_of_its_answers_in_a_row_are_good() -> None:
    story, old, new = shadowed(shadow={**SHORT, "minRequests": 400})
    story.run(15)
    story.failing[new] = 0.9
    story.run(3)
    story.failing.clear()
    story.run(10)
    evidence = story.status.evidence
    assert evidence and (evidence.requests >= 400, evidence.reason) == (True, "ErrorsAboveStable")
    assert (story.status.phase, story.weights, mirror(story)) == ("Shadow", {old: 100}, (new, 20))
    story.run(20, until="Canary")
    evidence = story.status.evidence
    assert evidence and [item.action for item in evidence.decisions] == ["begin", "resume", "advance"]


def test_what_a_shadow_has_shown_is_no_evidence_about_the_canary() -> None:
    story, _, new = shadowed()
    story.failing[new] = 0.02
    story.run(60, until="Canary")
    story.run(1)
    assert story.status.evidence
    state = load_state(story.status.evidence.state)
    assert state.observed_seconds <= 1 and state.step_count.attempts <= 10
    assert sure_evidence(state) == pytest.approx(1.0, abs=0.3)
    assert all(gateway.candidate.attempts <= 20 for gateway in state.gateways), "copies are not counted there"


def test_with_a_shadow_each_half_has_half_of_alpha_and_without_one_the_canary_has_all_of_it() -> None:
    thresholds = {}
    for name, shadow in (("plain", None), ("both", SHORT)):
        story, _, _ = shadowed(shadow=shadow, until="Shadow" if shadow else "Canary")
        story.run(3)
        first = story.status.evidence
        if shadow:
            story.run(30, until="Canary")
            story.run(3)
        last = story.status.evidence
        assert first and last
        thresholds[name] = (first.roll_back_at, last.roll_back_at, first.brake_at, last.brake_at)
    assert thresholds == {"plain": (200, 200, 100, 100), "both": (400, 400, 200, 200)}


def test_on_pass_hold_waits_for_an_approval() -> None:
    story, old, new = shadowed(shadow={**SHORT, "onPass": "hold"})
    story.run(40, until="AwaitingApproval")
    story.run(100)
    assert (story.weights, mirror(story), story.status.phase) == ({old: 100}, (new, 20), "AwaitingApproval")
    story.restart()
    story.request = f"approve@{new}#1"
    story.settle()
    assert story.status.last_request and story.status.last_request.accepted
    story.run(3)
    assert (story.weights, mirror(story)) == ({old: 90, new: 10}, None)


def test_a_shadow_that_waits_for_an_approval_is_still_judged() -> None:
    story, _, new = shadowed(shadow={**SHORT, "onPass": "hold"}, until="Shadow")
    story.run(40, until="AwaitingApproval")
    story.failing[new] = 0.5
    story.run(60, until="RolledBack")


def test_without_a_canary_everything_goes_to_a_shadow_that_has_passed_once_all_of_its_pods_are_ready() -> None:
    story, old, new = shadowed(**ALONE)
    assert (story.weights, mirror(story), story.replicas) == ({old: 100}, (new, 20), {old: 4, new: 1})
    story.unready.add(new)
    story.run(12)
    assert (story.weights, story.replicas[new]) == ({old: 100}, 4)
    story.ready(new)
    story.run(60, until="Stable")
    assert (story.weights, mirror(story)) == ({new: 100}, None)
    assert story.status.stable and story.status.stable.revision == new
    assert [(entry.revision, entry.outcome) for entry in story.status.history] == [(new, "Promoted")]
    story.retire()
    assert story.replicas == {new: 4}


def test_without_a_canary_a_failing_shadow_is_rolled_back_all_the_same() -> None:
    story, old, new = shadowed(**ALONE)
    story.failing[new] = 0.5
    story.run(60, until="RolledBack")
    assert story.weights == {old: 100} and story.status.quarantine[0].revision == new


def test_pods_for_the_copies_are_ready_before_anything_is_copied() -> None:
    story = serving(canary_body(shadow={**SHORT, "percent": 60}))
    old, new = revision_of(story.body), story.ship(NEW)
    story.unready.add(new)
    story.run(10)
    assert (story.replicas, mirror(story)) == ({old: 4, new: 3}, None)
    story.ready(new)
    story.run(1)
    assert mirror(story) == (new, 60)


def test_nothing_is_copied_while_no_pod_can_answer() -> None:
    story, old, new = shadowed()
    story.objects["Deployment", new]["status"]["readyReplicas"] = 0
    story.run(2)
    assert (mirror(story), story.weights) == (None, {old: 100})
    story.ready(new)
    story.run(1)
    assert mirror(story) == (new, 20)


def test_a_shadow_that_crashes_needs_no_statistics() -> None:
    story, old, new = shadowed()
    story.pods = [pod_body(new, container_status(exit_code=1, restarts=2, again=True), name="crashed")]
    story.run(2)
    assert (story.status.phase, mirror(story), story.weights) == ("RolledBack", None, {old: 100})
    assert story.status.quarantine[0].reason == "ContainerCrashed"


def test_promote_abort_and_another_version_end_a_shadow() -> None:
    story, old, new = shadowed()
    story.objects["Deployment", new]["status"]["readyReplicas"] = 4
    story.request = f"promote@{new}#1"
    story.settle()
    assert (story.weights, mirror(story), story.status.phase) == ({old: 5, new: 95}, None, "Guard")
    story, old, new = shadowed()
    story.request = f"abort@{new}#1"
    story.settle()
    assert (story.weights, mirror(story), story.status.quarantine) == ({old: 100}, None, ())
    story, old, new = shadowed()
    newer = story.ship(NEWER)
    story.settle()
    story.run(10, until="Shadow")
    assert mirror(story) == (newer, 20) and story.status.history[-1].outcome == "Superseded"
    assert story.ship(OLD) == old
    story.settle()
    assert (mirror(story), story.status.phase) == (None, "Stable")


def test_promote_without_a_canary_has_no_guard() -> None:
    story, _, new = shadowed(**ALONE)
    story.objects["Deployment", new]["status"]["readyReplicas"] = 4
    story.request = f"promote@{new}#1"
    story.settle()
    assert (story.weights, story.status.phase) == ({new: 100}, "Stable")


def test_without_traffic_a_shadow_waits_until_the_deadline_ends_it_without_a_verdict() -> None:
    story, old, _ = shadowed(holdDeadline="60s")
    story.rate = 0
    story.run(30)
    assert story.status.phase == "Shadow"
    story.run(90, until="Inconclusive")
    assert (story.weights, mirror(story), story.status.quarantine) == ({old: 100}, None, ())


def test_an_observed_shadow_tells_of_a_fail_and_goes_on() -> None:
    story, _, new = shadowed(checks={"mode": "observe"})
    story.failing[new] = 0.2
    story.run(60, until="Canary")
    assert story.status.quarantine == ()


def test_a_shadow_goes_on_through_a_restart_at_any_second() -> None:
    story, _, _ = shadowed()
    for _ in range(20):
        story.restart()
        story.run(1)
    assert story.status.phase in ("Canary", "Guard")


def test_a_step_by_hand_is_approved_of_by_itself_after_an_approved_shadow() -> None:
    steps = [{**FAST_STEPS[0], "approval": "manual"}, FAST_STEPS[1]]
    story, old, new = shadowed(shadow={**SHORT, "onPass": "hold"}, canary={"steps": steps, "failover": True})
    story.run(40, until="AwaitingApproval")
    story.request = f"approve@{new}#1"
    story.settle()
    story.run(20)
    assert story.weights == {old: 90, new: 10} and story.status.phase == "AwaitingApproval"
