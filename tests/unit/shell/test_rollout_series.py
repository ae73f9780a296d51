"""What is measured of ModelDeployments and their rollouts."""

from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.builders import NOW, Body, serving_body
from tests.unit.core.serving.story import NEW, canary_body, serving

from fairlead.api.conditions import ConditionType, condition
from fairlead.api.model_deployment import DeploymentPhase, ModelDeploymentStatus
from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import Decision, Evidence, HistoryEntry, Outcome
from fairlead.shell.rollout_series import SERIES, RolloutCounts, RolloutGauges

OWNER = {"namespace": "team", "modeldeployment": "churn"}


def decision(action: str, reason: Reason, *, seconds: int = 0) -> Decision:
    return Decision(at=NOW + timedelta(seconds=seconds), action=action, reason=reason, weight=5)


def evidence(*decisions: Decision, **changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "candidate": "churn-b",
        "incumbent": "churn-a",
        "since": NOW,
        "updated": NOW,
        "stage": "Braked",
        "step": 2,
        "steps": 3,
        "weight": 2.5,
        "verdict": "fail",
        "reason": Reason.ERRORS_ABOVE_STABLE,
        "requests": 812,
        "failures": 19,
        "needed_requests": 150,
        "fast": 161.5,
        "brake_at": 100,
        "sure": 12.25,
        "roll_back_at": 200,
        "policy": "{}",
        "state": "{}",
        "decisions": decisions,
    }
    return Evidence(**{**fields, **changes})


def ended(outcome: Outcome, *, seconds: int = 0, told: bool = False) -> HistoryEntry:
    at = NOW + timedelta(seconds=seconds)
    return HistoryEntry(revision="churn-b", outcome=outcome, reason=Reason.ERRORS_ABOVE_STABLE, ended=at, told=told)


def status(**fields: Any) -> ModelDeploymentStatus:
    return ModelDeploymentStatus(**{"phase": DeploymentPhase.BRAKED, **fields})


def read(registry: CollectorRegistry) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def gauges(*bodies: Body) -> dict[str, list[tuple[dict[str, str], float]]]:
    registry = CollectorRegistry()
    RolloutGauges(registry).show(bodies)
    return read(registry)


def body(**fields: Any) -> Body:
    return serving_body(status=status(**fields).wire())


def test_a_rollout_shows_its_share_its_step_its_evidence_and_what_it_counted() -> None:
    found = gauges(body(evidence=evidence()))
    assert found["fairlead_rollout_weight_percent"] == [(OWNER, 2.5)]
    assert found["fairlead_rollout_step"] == [(OWNER, 2)]
    assert found["fairlead_rollout_evidence"] == [
        ({**OWNER, "process": "fast"}, 161.5),
        ({**OWNER, "process": "sure"}, 12.25),
    ]
    assert found["fairlead_rollout_evidence_limit"] == [
        ({**OWNER, "process": "fast"}, 100),
        ({**OWNER, "process": "sure"}, 200),
    ]
    assert found["fairlead_rollout_requests"] == [(OWNER, 812)]
    assert found["fairlead_rollout_requests_needed"] == [(OWNER, 150)]
    assert found["fairlead_rollout_failures"] == [(OWNER, 19)]


def test_a_rollout_says_who_is_judged_against_whom_and_why() -> None:
    ((labels, value),) = gauges(body(evidence=evidence()))["fairlead_rollout_info"]
    words = {"candidate": "churn-b", "incumbent": "churn-a", "stage": "Braked", "verdict": "fail"}
    assert (labels, value) == ({**OWNER, **words, "reason": "ErrorsAboveStable"}, 1)


def test_a_decision_that_was_taken_twice_shows_its_last_time() -> None:
    brakes = [decision("brake", Reason.ERRORS_ABOVE_STABLE, seconds=seconds) for seconds in (10, 40)]
    found = gauges(body(evidence=evidence(*brakes)))["fairlead_rollout_decision_timestamp_seconds"]
    assert found == [({**OWNER, "action": "brake", "reason": "ErrorsAboveStable"}, NOW.timestamp() + 40)]


def test_the_series_of_a_rollout_are_gone_with_it_and_its_end_stays() -> None:
    registry = CollectorRegistry()
    shown = RolloutGauges(registry)
    shown.show([body(evidence=evidence())])
    assert "fairlead_rollout_weight_percent" in read(registry)
    history = [ended(Outcome.PROMOTED), ended(Outcome.ROLLED_BACK, seconds=60), ended(Outcome.RETRIED, seconds=90)]
    shown.show([body(phase=DeploymentPhase.ROLLED_BACK, history=history)])
    found = read(registry)
    assert set(found) == {"fairlead_modeldeployment_phase", "fairlead_rollout_ended_timestamp_seconds"}
    ((labels, value),) = found["fairlead_rollout_ended_timestamp_seconds"]
    assert (labels["outcome"], value) == ("RolledBack", NOW.timestamp() + 60)


def test_a_modeldeployment_shows_its_phase_and_each_condition_with_status_and_reason() -> None:
    conditions = [
        condition(ConditionType.READY, True, Reason.SERVING),
        condition(ConditionType.PROGRAMMED, None, Reason.GATEWAY_UNREACHABLE),
    ]
    found = gauges(body(conditions=conditions))
    assert found["fairlead_modeldeployment_phase"] == [({**OWNER, "phase": "Braked"}, 1)]
    assert [
        tuple(labels[name] for name in ("condition", "status", "reason"))
        for labels, _ in found["fairlead_modeldeployment_condition"]
    ] == [
        ("Ready", "True", "Serving"),
        ("Programmed", "Unknown", "GatewayUnreachable"),
    ]


def test_a_status_that_this_version_does_not_understand_costs_the_others_nothing() -> None:
    strange = serving_body(name="strange", status={"phase": "Levitating"})
    found = gauges(strange, serving_body(name="new"), body())
    assert found == {"fairlead_modeldeployment_phase": [({**OWNER, "phase": "Braked"}, 1)]}


def test_every_gauge_that_is_declared_is_shown_by_a_rollout_in_full() -> None:
    full = body(
        conditions=[condition(ConditionType.READY, True, Reason.SERVING)],
        evidence=evidence(decision("begin", Reason.STARTING)),
        history=[ended(Outcome.PROMOTED)],
    )
    assert set(gauges(full)) == set(SERIES)


def counted(*writes: tuple[dict[str, Any] | None, dict[str, Any]]) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    counts = RolloutCounts(registry)
    for before, after in writes:
        counts.count(before, after)
    return {
        (name, *(labels[key] for key in ("action", "outcome", "reason") if key in labels)): value
        for name, samples in read(registry).items()
        for labels, value in samples
    }


def test_a_decision_is_counted_when_it_is_first_written() -> None:
    begin = decision("begin", Reason.STARTING)
    brake = decision("brake", Reason.ERRORS_ABOVE_STABLE, seconds=30)
    first, second = status(evidence=evidence(begin)).wire(), status(evidence=evidence(begin, brake)).wire()
    assert counted((None, first), (first, second), (second, second)) == {
        ("fairlead_rollout_decisions_total", "begin", "Starting"): 1,
        ("fairlead_rollout_decisions_total", "brake", "ErrorsAboveStable"): 1,
    }


def test_decisions_that_fall_off_the_end_of_the_list_are_not_counted_again() -> None:
    many = [decision("brake", Reason.ERRORS_ABOVE_STABLE, seconds=second) for second in range(21)]
    before, after = status(evidence=evidence(*many[:20])).wire(), status(evidence=evidence(*many[1:])).wire()
    assert counted((before, after)) == {("fairlead_rollout_decisions_total", "brake", "ErrorsAboveStable"): 1}


def test_an_end_is_counted_once_though_its_entry_changes_when_the_registry_is_told() -> None:
    open_ = status(evidence=evidence()).wire()
    over = status(history=[ended(Outcome.ROLLED_BACK)]).wire()
    told = status(history=[ended(Outcome.ROLLED_BACK, told=True)]).wire()
    assert counted((open_, over), (over, told)) == {("fairlead_rollouts_total", "RolledBack", "ErrorsAboveStable"): 1}


def test_the_word_that_an_earlier_rollout_is_forgotten_is_no_end() -> None:
    assert counted((None, status(history=[ended(Outcome.RETRIED)]).wire())) == {}


def test_statuses_without_rollouts_and_those_of_trainings_count_nothing() -> None:
    assert counted((None, {}), ({}, {"phase": "Running", "attempts": []})) == {}


# -- through whole rollouts, as the decisions write them


def lived_through(*, failing: float) -> tuple[set[str], dict[tuple[str, ...], float]]:
    """A rollout second by second: every series that was there, and what was counted in the end."""
    registry = CollectorRegistry()
    shown, counts = RolloutGauges(registry), RolloutCounts(registry)
    story = serving(canary_body())
    new = story.ship(NEW)
    story.failing[new] = failing
    story.settle()
    seen: set[str] = set()
    before: dict[str, Any] | None = None
    while not story.status.history:
        counts.count(before, story.body["status"])
        before = story.body["status"]
        shown.show([story.body])
        seen |= set(read(registry))
        story.run(1)
    counts.count(before, story.body["status"])
    shown.show([story.body])
    found = read(registry)
    assert not {name for name in found if name.startswith("fairlead_rollout_")} - LASTING
    return seen, {
        (labels.get("action") or labels["outcome"], labels["reason"]): value
        for name in ("fairlead_rollout_decisions_total", "fairlead_rollouts_total")
        for labels, value in found.get(name, [])
    }


LASTING = {"fairlead_rollout_ended_timestamp_seconds", "fairlead_rollout_decisions_total"}
"""What is left of a rollout when it is over."""


def test_a_rollout_that_is_promoted_is_counted_step_by_step() -> None:
    seen, counted_ = lived_through(failing=0.0)
    assert {name for name in SERIES if "ended" not in name} <= seen
    assert counted_ == {
        ("begin", "Starting"): 1,
        ("advance", "StepPassed"): 2,
        ("finish", "StepPassed"): 1,
        ("Promoted", "Promoted"): 1,
    }


def test_a_rollout_that_is_taken_back_counts_its_brake_and_its_end() -> None:
    _, counted_ = lived_through(failing=0.3)
    assert counted_.pop(("begin", "Starting")) == 1
    ends = {key: value for key, value in counted_.items() if key[0] == "RolledBack"}
    assert len(ends) == 1
    assert sum(ends.values()) == 1
    assert {key[0] for key in counted_} <= {"advance", "brake", "resume", "rollBack", "RolledBack"}
    assert sum(value for key, value in counted_.items() if key[0] == "rollBack") == 1
    assert any(key[0] == "brake" for key in counted_)
