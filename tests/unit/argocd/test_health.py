"""Argo CD's health of both kinds, row by row of the conditions table, on statuses that the decisions wrote."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.argocd import CONFIG, Health, health_of, scripts
from tests.property.serving_simulation import ServingSimulation
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import NOW, Body

from fairlead.api.conditions import ConditionType, condition, merge_conditions
from fairlead.api.model_deployment import DeploymentPhase, ModelDeploymentStatus
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.training_job import TrainingPhase

CAPTURED = sorted(Path(__file__).with_name("captured").glob("*/*.json"))
"""Objects as an API server has shown them, in a folder that says their health: those of rollouts are made by
`python -m tests.e2e.capture` on the whole cluster, another one is added by `kubectl get md NAME -o json`."""


def serving() -> ServingSimulation:
    """A ModelDeployment whose first revision serves."""
    world = ServingSimulation()
    world.settle()
    assert world.status.phase is DeploymentPhase.STABLE
    return world


def with_status(body: Body, status: ModelDeploymentStatus) -> Body:
    return {**body, "status": status.wire()}


def rolling_out(phase: DeploymentPhase, reason: Reason, *, stalled: bool = False) -> Body:
    """A ModelDeployment that serves one revision while something becomes, or has become, of another."""
    body = serving().body
    before = ModelDeploymentStatus.model_validate(body["status"])
    found = [
        condition(ConditionType.READY, True, Reason.SERVING, "revision churn-a answers"),
        condition(ConditionType.ROLLED_OUT, False, reason, "as it stands"),
        condition(ConditionType.PROGRAMMED, True, Reason.PROGRAMMED),
    ]
    if stalled:
        found.append(condition(ConditionType.STALLED, True, reason, "as it stands"))
    conditions = merge_conditions(before.conditions, found, generation=before.observed_generation, now=NOW)
    return with_status(body, before.model_copy(update={"phase": phase, "conditions": conditions}))


def test_there_is_a_script_for_each_kind_and_nothing_else() -> None:
    assert set(scripts()) == {"ModelDeployment", "TrainingJob"}
    assert CONFIG.read_text().startswith("# ")


# -- ModelDeployment


def test_a_modeldeployment_that_nobody_has_looked_at_is_progressing() -> None:
    assert health_of(ServingSimulation().body).status == "Progressing"
    emptied = {**ServingSimulation().body, "status": {"observedGeneration": 0, "conditions": []}}
    assert health_of(emptied).status == "Progressing"


def test_a_first_version_that_comes_up_is_progressing() -> None:
    world = ServingSimulation(container={"image": "example/churn:2"})
    world.reconcile()
    assert world.status.phase is DeploymentPhase.STARTING
    health = health_of(world.body)
    assert health.status == "Progressing"
    assert health.message.startswith("Starting: revision churn-")


def test_a_first_version_that_fails_is_degraded() -> None:
    world = ServingSimulation(container={"image": "example/crash:1"})
    world.settle()
    assert world.status.phase is DeploymentPhase.FAILED
    assert health_of(world.body).status == "Degraded"


def test_a_version_that_serves_is_healthy() -> None:
    world = serving()
    assert health_of(world.body) == Health("Healthy", f"RolledOut: revision {world.revision} serves")


def test_a_spec_that_the_operator_has_not_seen_yet_is_progressing_whatever_the_status_says() -> None:
    world = serving()
    world.edit(replicas=2)
    assert health_of(world.body) == Health("Progressing", "the operator has not looked at this spec yet")


def test_pods_that_are_being_added_are_progressing() -> None:
    world = serving()
    world.edit(replicas=2)
    world.reconcile()
    assert world.condition("Reconciling") == ("True", "Scaling")
    health = health_of(world.body)
    assert (health.status, health.message.partition(":")[0]) == ("Progressing", "Scaling")
    world.settle()
    assert health_of(world.body).status == "Healthy"


def test_a_new_version_that_does_not_start_is_degraded_while_the_old_one_serves() -> None:
    world = serving()
    world.edit_image("example/crash:1")
    world.settle()
    assert world.status.phase is DeploymentPhase.ROLLED_BACK
    health = health_of(world.body)
    assert (health.status, health.message.partition(":")[0]) == ("Degraded", "ContainerCrashed")


ROLLOUTS = {
    DeploymentPhase.SHADOW: (Reason.STEP_PASSED, "Progressing"),
    DeploymentPhase.CANARY: (Reason.TOO_FEW_REQUESTS, "Progressing"),
    DeploymentPhase.BRAKED: (Reason.ERRORS_ABOVE_STABLE, "Progressing"),
    DeploymentPhase.HELD: (Reason.NO_EVIDENCE, "Progressing"),
    DeploymentPhase.GUARD: (Reason.TOO_FEW_REQUESTS, "Progressing"),
    DeploymentPhase.AWAITING_APPROVAL: (Reason.AWAITING_APPROVAL, "Suspended"),
    DeploymentPhase.PAUSED: (Reason.PAUSED, "Suspended"),
    DeploymentPhase.ROLLED_BACK: (Reason.ERRORS_ABOVE_STABLE, "Degraded"),
    DeploymentPhase.INCONCLUSIVE: (Reason.ANALYSIS_INCONCLUSIVE, "Degraded"),
}


@pytest.mark.parametrize(("phase", "reason", "expected"), [(key, *row) for key, row in ROLLOUTS.items()])
def test_a_rollout_has_the_health_of_its_phase(phase: DeploymentPhase, reason: Reason, expected: str) -> None:
    body = rolling_out(phase, reason, stalled=expected == "Degraded")
    assert health_of(body) == Health(expected, f"{reason}: as it stands")


def test_every_phase_has_been_given_a_health() -> None:
    told_above = {DeploymentPhase.STARTING, DeploymentPhase.STABLE, DeploymentPhase.FAILED}
    assert set(ROLLOUTS) | told_above == set(DeploymentPhase)


def test_a_pause_does_not_hide_that_somebody_has_to_act() -> None:
    body = rolling_out(DeploymentPhase.PAUSED, Reason.IMAGE_NOT_ALLOWED, stalled=True)
    assert health_of(body).status == "Degraded"


def test_a_condition_without_a_message_is_told_by_its_reason() -> None:
    body = rolling_out(DeploymentPhase.CANARY, Reason.TOO_FEW_REQUESTS)
    for item in body["status"]["conditions"]:
        item.pop("message")
    assert health_of(body).message == "TooFewRequests"


# -- TrainingJob


def test_a_training_is_progressing_until_its_model_is_registered() -> None:
    world = TrainingSimulation(gate={"rules": [{"metric": "accuracy", "min": 0.9}]})
    seen: dict[TrainingPhase | None, set[str]] = {None: {health_of(world.body).status}}

    def write_by_write() -> None:
        while world.reconcile(most=1):
            seen.setdefault(world.status.phase, set()).add(health_of(world.body).status)

    write_by_write()
    world.run_pod()
    write_by_write()
    world.succeed("m-1", accuracy=0.95)
    write_by_write()
    world.hash()
    write_by_write()
    assert seen.pop(TrainingPhase.SUCCEEDED) == {"Healthy"}
    assert seen.keys() >= {None, TrainingPhase.PENDING, TrainingPhase.RUNNING, TrainingPhase.REGISTERING}
    assert set.union(*seen.values()) == {"Progressing"}


def test_a_training_that_failed_is_degraded() -> None:
    world = TrainingSimulation()
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.fail(exit_code=3)
    world.reconcile()
    assert world.status.phase is TrainingPhase.FAILED
    health = health_of(world.body)
    assert (health.status, health.message.partition(":")[0]) == ("Degraded", "TrainerFailed")


def test_a_training_that_stands_still_on_purpose_is_suspended() -> None:
    world = TrainingSimulation()
    world.reconcile()
    world.set_spec(suspend=True)
    assert health_of(world.body).status == "Progressing", "nobody has looked at it yet"
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUSPENDED
    assert health_of(world.body).status == "Suspended"


def test_a_training_that_waits_for_somebody_is_degraded() -> None:
    world = TrainingSimulation()
    world.registry.down = True
    world.reconcile()
    assert not EXPLAINED[Reason.REGISTRY_UNAVAILABLE].stalls
    assert health_of(world.body).status == "Progressing", "it is tried again"
    told: Any = world.body["status"]["conditions"]
    stalled = {**next(item for item in told if item["type"] == "Reconciling"), "type": "Stalled"}
    status = {**world.body["status"], "conditions": [*told, stalled]}
    assert health_of({**world.body, "status": status}).status == "Degraded"


# -- objects of a real API server


def test_objects_that_were_captured_have_the_health_that_their_folder_says() -> None:
    assert {path.parent.name for path in CAPTURED} == {"Healthy", "Progressing", "Degraded", "Suspended"}
    found = {path: health_of(json.loads(path.read_text())).status for path in CAPTURED}
    assert {path.name: status for path, status in found.items() if status != path.parent.name} == {}
