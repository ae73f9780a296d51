"""A canary from its first share to its end, by the decisions that the operator makes."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.builders import NOW, container_status, pod_body, revision_of, serving_body, serving_world
from tests.unit.core.serving.story import FAST_STEPS, NEW, NEWER, OLD, Story, canary_body, serving

from fairlead.api.model_deployment import ModelDeploymentStatus, QuarantinedRevision, ResolvedModel, RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import Outcome
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.record import as_json, from_json
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import State
from fairlead.core.rollout.decide import decide
from fairlead.core.rollout.orders import Orders
from fairlead.core.serving.roles import next_pointers
from fairlead.core.serving.rollouts import End, quarantined
from fairlead.core.serving.target import find_target
from fairlead.core.world import RolloutRules


def on_its_way(*, until: str = "Canary", **rollout: object) -> tuple[Story, str, str]:
    """A story in which a new version has got so far; the old and the new revision."""
    story = serving(canary_body(**rollout))
    old = revision_of(story.body)
    new = story.ship(NEW)
    story.settle()
    story.run(60, until=until)
    return story, old, new


def test_a_good_version_is_promoted_step_by_step() -> None:
    story, old, new = on_its_way()
    assert story.weights == {old: 90, new: 10}
    assert story.replicas == {old: 4, new: 1}
    seen = []
    for _ in range(80):
        story.run(1)
        if not seen or seen[-1] != story.weights:
            seen.append(story.weights)
    assert seen == [{old: 90, new: 10}, {old: 50, new: 50}, {old: 5, new: 95}, {new: 100}]
    assert (story.status.phase, story.status.stable and story.status.stable.revision) == ("Stable", new)
    assert [(entry.revision, entry.outcome) for entry in story.status.history] == [(new, "Promoted")]
    assert story.status.history[0].message.endswith("The candidate has passed its guard and is stable for good.")
    assert story.status.evidence is None
    story.retire()
    assert story.replicas == {new: 4}


def test_pods_for_a_greater_share_are_ready_before_it_is_written() -> None:
    story, old, new = on_its_way()
    story.unready.add(new)
    story.run(10)
    assert story.weights == {old: 90, new: 10}
    assert story.replicas == {old: 4, new: 2}
    assert story.status.evidence and story.status.evidence.reason == "Scaling"
    story.ready(new)
    story.run(1)
    assert story.weights == {old: 50, new: 50}


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_a_worse_version_is_braked_then_rolled_back_and_quarantined(share: float) -> None:
    story = serving()
    old, new = revision_of(story.body), story.ship(NEW)
    story.failing[new] = share
    story.settle()
    story.run(90, until="RolledBack")
    assert story.weights == {old: 100}
    assert "status Braked" in story.writes or share == 1.0
    assert [item.revision for item in story.status.quarantine] == [new]
    assert story.status.history[-1].outcome == "RolledBack"
    assert {item.type: (item.status, item.reason) for item in story.status.conditions}["Ready"] == ("True", "Serving")
    story.retire()
    assert story.replicas == {old: 4}
    before = len(story.writes)
    story.edit(replicas=5)
    story.restart()
    story.run(10)
    assert story.weights == {old: 100} and story.status.candidate is None
    assert not [line for line in story.writes[before:] if new in line and "Deployment" in line]


def test_a_version_that_turns_bad_in_its_guard_gives_way_at_once_and_no_pod_is_started() -> None:
    story, old, new = on_its_way(until="Guard", guard={"duration": "10m"})
    assert story.weights == {old: 5, new: 95}
    assert story.replicas == {old: 4, new: 4}
    before = len(story.writes)
    story.failing[new] = 0.2
    story.run(120, until="RolledBack")
    assert story.weights == {old: 100}
    assert story.status.stable and story.status.stable.revision == old
    assert [item.revision for item in story.status.quarantine] == [new]
    assert not [line for line in story.writes[before:] if line.startswith("apply Deployment")]


def test_a_roll_back_tells_the_requests_that_it_was_decided_on() -> None:
    story = serving()
    new = story.ship(NEW)
    story.failing[new] = 0.2
    story.settle()
    story.run(90, until="RolledBack")
    assert "Braked" in " ".join(story.writes)
    told = story.status.history[-1].message
    assert " 0 of 0 requests" not in told and "requests failed" in told


def test_the_first_look_at_a_rollout_does_not_call_it_blind() -> None:
    story = serving()
    new = story.ship(NEW)
    story.unready.add(new)
    story.settle()
    story.blind = True
    story.ready(new)
    story.settle()
    story.run(10)
    assert "NoEvidence" not in story.events and "status Held" not in story.writes
    story.run(10, until="Held")


def test_what_is_seen_in_the_second_of_the_start_is_not_forgotten() -> None:
    story = serving()
    new = story.ship(NEW)
    story.blind = True
    story.settle()
    assert story.status.phase == "Canary"
    story.blind = False
    story.now += timedelta(seconds=0.4)
    story.settle()
    story.run(1)
    assert story.remembered and story.remembered.state.step_count.attempts == 10
    assert story.status.candidate and story.status.candidate.revision == new


UNSHIELDED = {"canary": {"steps": FAST_STEPS, "failover": False}, "guard": {"duration": "10m"}}


def test_a_version_that_fails_users_in_its_guard_gives_its_place_back_and_is_tried_once_more() -> None:
    story, old, new = on_its_way(until="Guard", **UNSHIELDED)
    story.failing[new] = 0.2
    story.run(60, until="Braked")
    assert story.weights == {old: 100}
    story.failing[new] = 1.0
    story.run(120)
    assert story.weights == {old: 100} and story.status.stable and story.status.stable.revision == old
    story.run(240, until="Canary")
    assert story.weights == {old: 90, new: 10}
    story.run(120, until="RolledBack")
    assert [item.revision for item in story.status.quarantine] == [new]


def test_a_version_that_failed_users_in_its_guard_and_is_good_again_is_promoted_in_the_end() -> None:
    story, _, new = on_its_way(until="Guard", **UNSHIELDED)
    story.failing[new] = 0.2
    story.run(60, until="Braked")
    story.failing = {}
    story.run(1200, until="Stable")
    assert story.weights == {new: 100} and story.status.quarantine == ()
    story.retire()
    assert story.replicas == {new: 4}


def test_trouble_that_both_share_is_nobody_s_fault() -> None:
    story, old, new = on_its_way()
    story.failing = {old: 0.3, new: 0.3}
    story.run(40)
    assert story.weights[new] == 10 and story.status.phase in ("Held", "Canary")
    story.failing = {}
    story.run(160, until="Guard")


def test_without_evidence_nothing_moves_and_the_deadline_ends_it_without_a_verdict() -> None:
    story, old, new = on_its_way(holdDeadline="60s")
    story.blind = True
    story.run(30)
    assert story.status.phase == "Held" and story.status.evidence and story.status.evidence.reason == "NoEvidence"
    assert story.weights == {old: 90, new: 10}
    story.run(90, until="Inconclusive")
    assert story.weights == {old: 100} and story.status.quarantine == ()
    assert story.status.history[-1].reason == "AnalysisInconclusive"
    story.blind = False
    story.run(60)
    assert story.weights == {old: 100}, "it is not tried again by itself"


def test_without_traffic_it_waits_and_says_for_how_many_requests() -> None:
    story, _, _ = on_its_way()
    story.rate = 0
    story.run(60)
    evidence = story.status.evidence
    assert evidence and (evidence.reason, evidence.eta_seconds) == ("TooFewRequests", None)
    told = {item.type: item.message for item in story.status.conditions}["RolledOut"]
    assert f"{evidence.requests} of 20 requests" in told


def test_a_newer_version_takes_the_place_of_the_one_on_its_way() -> None:
    story, old, new = on_its_way()
    newer = story.ship(NEWER)
    story.settle()
    story.run(10, until="Canary")
    assert story.weights == {old: 90, newer: 10}
    assert [(entry.revision, entry.outcome) for entry in story.status.history] == [(new, "Superseded")]
    assert story.status.quarantine == ()


def test_a_newer_version_waits_for_the_guard_of_the_one_before() -> None:
    story, old, new = on_its_way(until="Guard")
    story.ship(NEWER)
    story.run(5)
    assert story.weights == {old: 5, new: 95} and story.status.candidate is None
    story.run(40, until="Canary")
    assert story.status.stable and story.status.stable.revision == new


def test_a_spec_that_goes_back_ends_the_rollout_also_in_its_guard() -> None:
    for until in ("Canary", "Guard"):
        story, old, new = on_its_way(until=until)
        assert story.ship(OLD) == old
        story.settle()
        assert story.weights == {old: 100}
        assert story.status.history[-1].outcome == "Superseded" and story.status.history[-1].revision == new
        assert story.status.phase == "Stable"


def test_a_rollout_ends_with_its_resource_untouched_by_a_restart_at_any_second() -> None:
    story, _, new = on_its_way()
    for _ in range(90):
        story.restart()
        story.run(1)
    assert story.status.stable and story.status.stable.revision == new and story.status.phase == "Stable"


def test_a_new_leader_writes_its_epoch_before_it_decides() -> None:
    story, _, new = on_its_way()
    story.failing[new] = 1.0
    story.restart()
    story.now += timedelta(seconds=5)
    story.writes.clear()
    story.settle()
    assert story.status.traffic and story.status.traffic.epoch == 2
    assert story.writes[0] == "status Canary"


def test_evidence_is_written_every_ten_seconds_and_what_it_says_between_is_remembered() -> None:
    story, _, _ = on_its_way(canary={"steps": [{"weight": 10, "minRequests": 100_000}]})
    story.run(5)
    story.writes.clear()
    story.run(40)
    assert 3 <= len(story.writes) <= 5, story.writes
    assert story.status.evidence and story.status.evidence.requests >= 300


def test_a_state_that_cannot_be_read_begins_the_rollout_anew() -> None:
    story, old, new = on_its_way()
    story.run(7)
    assert story.weights == {old: 50, new: 50}
    story.body["status"]["evidence"]["state"] = "[]"
    story.run(2)
    assert story.weights == {old: 90, new: 10}


def test_a_crash_needs_no_statistics() -> None:
    story, old, new = on_its_way()
    exited = container_status(exit_code=1, restarts=2, again=True)
    story.pods = [pod_body(new, exited, name="crashed")]
    story.run(2)
    assert story.weights == {old: 100} and story.status.phase == "RolledBack"
    assert [(item.revision, item.reason, item.digest) for item in story.status.quarantine] == [
        (new, "ContainerCrashed", "")
    ]


def test_what_is_paused_or_frozen_stands_still_and_goes_on() -> None:
    story, old, new = on_its_way()
    story.edit(paused=True)
    story.run(30)
    assert (story.weights, story.status.phase) == ({old: 90, new: 10}, "Paused")
    story.edit(paused=False)
    story.rules = RolloutRules(frozen=True)
    story.run(30)
    assert (story.weights, story.status.phase) == ({old: 90, new: 10}, "Held")
    story.rules = RolloutRules()
    story.run(30, until="Guard")


def test_nothing_new_begins_while_it_is_paused_frozen_or_there_is_no_room() -> None:
    for rules, paused, reason in (
        (RolloutRules(), True, "Paused"),
        (RolloutRules(frozen=True), False, "RolloutsFrozen"),
        (RolloutRules(room=False), False, "RolloutsLimited"),
    ):
        story = serving()
        old, new = revision_of(story.body), story.ship(NEW)
        story.rules = rules
        story.edit(paused=paused)
        story.run(20)
        assert story.weights == {old: 100}
        assert {item.type: item.reason for item in story.status.conditions}["RolledOut"] == reason
        story.rules = RolloutRules()
        story.edit(paused=False)
        story.run(10, until="Canary")
        assert new in story.weights


def test_an_observed_rollout_tells_of_a_fail_and_goes_on() -> None:
    story, _, new = on_its_way(checks={"mode": "observe"})
    story.failing[new] = 0.2
    story.run(15)
    assert new in story.weights and story.status.quarantine == ()
    assert any("observe" in item.message for item in story.status.conditions)
    story.run(60, until="Guard")


def test_the_pods_of_the_one_before_are_kept_as_asked_for_in_the_guard() -> None:
    for keep, control, expected in (("full", 5, 4), ("one", 5, 1), ("none", 0, 0)):
        guard = {"duration": "10m", "controlPercent": control, "keepWarm": keep}
        story, old, _ = on_its_way(until="Guard", guard=guard)
        assert story.replicas[old] == expected


def test_stable_does_not_shrink_below_what_it_was_while_a_rollout_is_on() -> None:
    story, old, _ = on_its_way()
    story.edit(replicas=1)
    story.settle()
    assert story.replicas[old] == 4
    story.edit(replicas=6)
    story.settle()
    assert story.replicas[old] == 6


def test_limits_that_are_edited_meanwhile_hold_from_the_next_rollout_on() -> None:
    story, _, _new = on_its_way(checks={"maxLatencyP99": "300ms"})
    assert story.status.traffic
    assert (story.status.traffic.latency_limit, story.status.traffic.attempt_timeout) == ("300ms", "1s")
    story.edit(rollout={**story.body["spec"]["rollout"], "checks": {"maxLatencyP99": "10ms"}})
    story.run(2)
    assert story.status.traffic.latency_limit == "300ms"
    story.edit(rollout={**story.body["spec"]["rollout"], "canary": None})
    story.run(60, until="Guard")
    story.run(30, until="Stable")
    assert story.status.traffic.latency_limit == "off"


def test_stable_and_quarantine_are_found_again_when_a_status_is_lost() -> None:
    story = serving()
    old, new = revision_of(story.body), story.ship(NEW)
    story.failing[new] = 1.0
    story.settle()
    story.run(90, until="RolledBack")
    story.retire()
    del story.body["status"]
    story.remembered = None
    story.settle()
    story.run(20)
    assert story.weights == {old: 100} and story.status.candidate is None
    assert [(item.revision, item.reason) for item in story.status.quarantine] == [(new, "EveryRequestFailed")]
    assert story.status.phase == "RolledBack"


def test_another_revision_with_the_same_files_is_not_tried_when_the_model_was_at_fault() -> None:
    model = ResolvedModel(name="churn", alias="candidate", version="2", digest="sha256:" + "a" * 64)
    body = serving_body(model={"name": "churn", "alias": "candidate"}, rollout={"canary": {}})
    banned = QuarantinedRevision(revision="churn-1", reason="ErrorsAboveStable", digest=model.digest, since=NOW)
    stable = RevisionStatus(revision="churn-0", since=NOW)
    body["status"] = ModelDeploymentStatus(stable=stable, quarantine=(banned,)).wire()
    world = serving_world(body, model=model)
    pointers = next_pointers(world, find_target(world))
    assert pointers.candidate is None
    free = banned.model_copy(update={"digest": ""})
    body["status"] = ModelDeploymentStatus(stable=stable, quarantine=(free,)).wire()
    world = serving_world(body, model=model)
    assert next_pointers(world, find_target(world)).candidate is not None


@pytest.mark.parametrize(("serving_digest", "banned"), [("sha256:a", ""), ("sha256:b", "sha256:c")])
def test_the_files_that_serve_well_are_not_banned_with_a_revision_that_had_too_little_memory(
    serving_digest: str, banned: str
) -> None:
    world = serving_world(serving_body())
    stable = RevisionStatus(revision="churn-0", digest=serving_digest, since=NOW)
    loser = RevisionStatus(revision="churn-1", digest="sha256:a" if banned == "" else banned, since=NOW)
    pointers = replace(next_pointers(world, find_target(world)), stable=stable)
    end = End(Outcome.ROLLED_BACK, Reason.ERRORS_ABOVE_STABLE, "worse")
    after = quarantined(world, pointers, loser, end)
    assert [(item.revision, item.digest) for item in after.quarantine] == [("churn-1", banned)]


def test_every_decision_is_an_event_and_a_record_that_comes_out_the_same_again() -> None:
    story, _, new = on_its_way()
    story.failing[new] = 0.2
    story.run(90, until="RolledBack")
    assert f"begin: revision {new} gets 10% now; 0 of 0 requests had failed" in story.told
    assert story.events[-1] == "ErrorsAboveStable" and f"revision {new} is rolled back" in story.told[-1]
    records = [json.loads(text) for text in story.records]
    assert [record["verdict"]["action"] for record in records][-1] == "rollBack"
    for record in records:
        policy, state, sample = (
            from_json(kind, record[name]) for kind, name in ((Policy, "policy"), (State, "state"), (Sample, "sample"))
        )
        assert as_json(decide(policy, state, sample, from_json(Orders, record["orders"]))[1]) == record["verdict"]


def test_an_end_keeps_the_last_decisions_its_own_among_them() -> None:
    story, _, new = on_its_way()
    story.failing[new] = 0.2
    story.run(90, until="RolledBack")
    kept = [item.action for item in story.status.history[-1].decisions]
    assert kept[-1] == "rollBack" and "brake" in kept and len(kept) <= 5
