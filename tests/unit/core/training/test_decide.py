"""Every arrow of a TrainingJob, and every way off the road."""

from typing import Any

import pytest
from tests.property.training_simulation import DIGEST, TrainingSimulation
from tests.unit.builders import (
    NOW,
    UID,
    Body,
    container_status,
    job_body,
    pod_body,
    stamp,
    training_body,
    training_world,
)

from fairlead.api.reasons import Reason
from fairlead.api.training_job import TrainingPhase
from fairlead.core.effects import Apply, ObjectRef, OpenRun, Plan, WriteStatus
from fairlead.core.training.decide import decide_training
from fairlead.core.training.status import lineage_tags
from fairlead.core.world import Allowed, RegistryFacts, RegistryProblem, Run

DOWN = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
RUN = Run("run-1", "1", "http://mlflow/run", "RUNNING")
DONE = Run("run-1", "1", "http://mlflow/run", "FINISHED")


def status_of(phase: str, **fields: Any) -> Body:
    return {"phase": phase, "attempt": 1, "run": {"id": "run-1", "experimentId": "1", "url": ""}, **fields}


def written(plan: Plan) -> Any:
    """The status that the plan writes first."""
    effect = plan.effects[0]
    assert isinstance(effect, WriteStatus)
    return effect.after


def table(status: Any) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


def running() -> TrainingSimulation:
    """A world whose trainer runs."""
    world = TrainingSimulation()
    world.reconcile()
    world.run_pod()
    world.reconcile()
    assert world.status.phase is TrainingPhase.RUNNING
    return world


# -- the road


def test_a_first_look_says_pending_and_opens_the_run_with_its_lineage() -> None:
    plan = decide_training(training_world(training_body(params={"depth": "6"})))
    assert table(written(plan)) == {"Ready": ("False", "Pending"), "Reconciling": ("True", "Pending")}
    effect = plan.effects[1]
    assert isinstance(effect, OpenRun)
    assert effect.name == "team/fit"
    assert effect.tags["fairlead.trainingjob.uid"] == UID
    assert effect.tags["fairlead.attempt"] == "1"
    assert effect.tags["fairlead.operator.id"] == "operator-1"
    assert effect.tags["fairlead.image"] == "example/fit:1"


def test_the_lineage_tells_other_params_and_the_image_that_ran() -> None:
    plain = lineage_tags(training_world(training_body()))
    other = lineage_tags(training_world(training_body(params={"depth": "6"})))
    assert plain["fairlead.params.sha256"] != other["fairlead.params.sha256"]
    assert "fairlead.image.id" not in plain
    pod = pod_body("", container_status("trainer", image_id="sha256:9"))
    assert lineage_tags(training_world(training_body(), [pod]))["fairlead.image.id"] == "sha256:9"


def test_a_run_that_is_found_again_is_written_down_and_the_job_started() -> None:
    body = training_body(status={"phase": "Pending"})
    plan = decide_training(training_world(body, registry=RegistryFacts(run=RUN)))
    assert written(plan)["run"] == {"id": "run-1", "experimentId": "1", "url": "http://mlflow/run"}
    effect = plan.effects[1]
    assert isinstance(effect, Apply)
    assert (effect.ref, effect.absent) == (ObjectRef("Job", "fit-1"), True)


def test_a_run_that_is_written_down_already_needs_only_its_job() -> None:
    body = training_body(status=status_of("Pending") | {"run": {"id": "run-1", "experimentId": "1", "url": RUN.url}})
    plan = decide_training(training_world(body, registry=RegistryFacts(run=RUN)))
    (effect,) = plan.effects
    assert isinstance(effect, Apply)


def test_the_whole_road() -> None:
    world = running()
    world.succeed("m-1")
    world.reconcile()
    assert world.cluster.writes == [
        "status TrainingJob fit",
        "open run",
        "status TrainingJob fit",
        "apply Job fit-1",
        "status TrainingJob fit",
        "status TrainingJob fit",
        "status TrainingJob fit",
        "status TrainingJob fit",
        "apply Job fit-1-register",
        "status TrainingJob fit",
        "register",
        "claim alias",
        "alias",
        "close run",
        "status TrainingJob fit",
    ]
    assert world.announced == ["Training", "Gating", "Registering", "Succeeded"]
    status = world.status
    assert status.phase is TrainingPhase.SUCCEEDED
    assert status.model_version and status.model_version.wire() == {
        "name": "churn",
        "modelId": "m-1",
        "digest": DIGEST,
        "version": "1",
        "alias": "candidate",
    }
    assert (status.exit_code, status.start_time, status.completion_time) == (0, NOW, NOW)
    assert (world.condition("Ready"), world.condition("Reconciling")) == (("True", "Succeeded"), None)


@pytest.mark.parametrize("writes", range(1, 16))
def test_a_crash_after_any_write_is_taken_up_where_it_was(writes: int) -> None:
    world = TrainingSimulation()
    world.reconcile(most=writes)
    world.reconcile()
    world.run_pod()
    world.reconcile(most=writes)
    world.succeed("m-1")
    world.reconcile(most=writes)
    world.reconcile()
    assert (world.status.phase, world.jobs_made) == (TrainingPhase.SUCCEEDED, 1)


def test_row_running_and_registering_are_reconciling() -> None:
    world = running()
    assert (world.condition("Ready"), world.condition("Reconciling")) == (("False", "Training"), ("True", "Training"))
    world.succeed("m-1")
    world.reconcile(most=1)
    assert world.condition("Reconciling") == ("True", "Gating")
    world.reconcile(most=1)
    assert world.condition("Reconciling") == ("True", "Registering")


def test_a_trainer_that_leaves_its_run_failed_but_ends_well_has_succeeded() -> None:
    world = running()
    world.registry.close("run-1", "FAILED")
    world.succeed("m-1")
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED
    assert world.registry.runs[0].status == "FINISHED"


def test_a_job_that_was_deleted_after_it_ended_well_is_registered_all_the_same() -> None:
    world = running()
    world.succeed("m-1")
    world.reconcile(most=1)
    world.lose_job()
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED


# -- off the road


def test_a_trainer_that_logs_no_model_has_failed() -> None:
    world = running()
    world.succeed()
    world.reconcile()
    assert world.condition("Stalled") == ("True", "NoModelLogged")
    assert "MLflow run run-1 has no logged model" in world.status.conditions[0].message
    assert (world.status.exit_code, world.registry.versions) == (0, [])


def test_a_trainer_that_logs_two_models_has_failed_and_both_are_named() -> None:
    world = running()
    world.succeed("m-1", "m-2")
    world.reconcile()
    assert world.condition("Stalled") == ("True", "AmbiguousModel")
    assert "got 2: m-1 (model), m-2 (model)" in world.status.conditions[0].message
    assert world.registry.versions == []


def test_a_job_that_is_deleted_while_it_runs_is_a_failure_and_no_second_job_is_made() -> None:
    world = running()
    world.lose_job()
    world.reconcile()
    assert world.condition("Stalled") == ("True", "JobDeleted")
    assert (world.job, world.jobs_made) == (None, 1)
    assert world.registry.runs[0].status == "FAILED"


def test_a_job_that_is_deleted_before_it_ran_is_made_again() -> None:
    world = TrainingSimulation()
    world.reconcile()
    world.lose_job()
    world.reconcile()
    assert world.job
    assert len(world.registry.runs) == 1


@pytest.mark.parametrize("end", ["Succeeded", "Failed"])
def test_an_end_is_latched_whatever_happens_later(end: str) -> None:
    world = running()
    world.succeed("m-1") if end == "Succeeded" else world.fail()
    world.reconcile()
    status = world.body["status"]
    world.registry.alias = "77"
    world.registry.versions = []
    world.check_settled()
    world.lose_job()
    world.check_settled()
    assert world.body["status"] == status


# -- waiting


@pytest.mark.parametrize(
    ("reason", "kind"), [(Reason.REGISTRY_UNAVAILABLE, "Reconciling"), (Reason.REGISTRY_FORBIDDEN, "Stalled")]
)
def test_a_registry_that_gives_no_answer_is_waited_for_before_the_start(reason: Reason, kind: str) -> None:
    plan = decide_training(training_world(training_body(), registry=RegistryProblem(reason, "because")))
    assert len(plan.effects) == 1, "nothing is started"
    assert table(written(plan))[kind] == ("True", reason.value)
    assert written(plan)["phase"] == "Pending"
    assert plan.requeue_after_seconds == 5.0


def test_a_registry_that_is_down_does_not_matter_while_the_trainer_runs() -> None:
    world = running()
    world.registry.down = True
    world.check_settled()


def test_a_registry_that_is_down_at_the_end_is_waited_for() -> None:
    world = running()
    world.registry.down = True
    world.succeed("m-1")
    world.reconcile()
    assert world.status.phase == "Gating"
    world.registry.down = False
    world.reconcile()
    assert world.status.phase == "Succeeded"


def test_a_registry_that_fails_a_write_is_told_once_and_tried_again() -> None:
    world = TrainingSimulation()
    world.registry.read_only = True
    world.reconcile()
    assert world.condition("Reconciling") == ("True", "RegistryUnavailable")
    assert "database is locked" in world.status.conditions[0].message
    for _ in range(3):
        world.check_settled()
    world.registry.read_only = False
    world.reconcile()
    assert world.job
    world.run_pod()
    world.succeed("m-1")
    world.registry.read_only = True
    world.reconcile()
    assert (world.status.phase, world.condition("Reconciling")) == ("Registering", ("True", "RegistryUnavailable"))
    for _ in range(3):
        world.check_settled()
    world.registry.read_only = False
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED


def test_what_the_settings_refuse_starts_nothing() -> None:
    plan = decide_training(training_world(training_body(), allowed=Allowed(images=())))
    assert len(plan.effects) == 1
    assert table(written(plan))["Stalled"] == ("True", "ImageNotAllowed")
    assert written(plan)["phase"] == "Pending"
    assert plan.requeue_after_seconds == 10.0


def test_a_job_that_the_api_server_refuses_is_told_once_and_heals_by_itself() -> None:
    world = TrainingSimulation()
    world.cluster.refused_kinds.add("Job")
    world.reconcile()
    assert world.condition("Stalled") == ("True", "Rejected")
    for _ in range(3):
        world.check_settled()
    assert world.announced == ["Rejected"]
    world.cluster.refused_kinds.clear()
    world.reconcile()
    assert world.job


def test_a_foreign_job_under_our_name_is_left_alone() -> None:
    body = training_body()
    plan = decide_training(training_world(body, [job_body(body, ours=False)], registry=RegistryFacts(run=RUN)))
    assert len(plan.effects) == 1
    assert table(written(plan))["Stalled"] == ("True", "NameConflict")
    assert plan.requeue_after_seconds == 10.0


def test_a_resource_under_deletion_is_left_to_its_owner_references() -> None:
    body = training_body(deleting=True, status=status_of("Running"))
    assert decide_training(training_world(body)) == Plan()


def test_a_new_leader_writes_its_epoch_only_with_something_else() -> None:
    world = running()
    world.epoch = 7
    world.check_settled()
    world.succeed("m-1")
    world.reconcile()
    assert world.status.epoch == 7


def test_a_model_that_is_not_allowed_stops_a_trainingjob_before_its_run_and_heals() -> None:
    closed = Allowed(models=())
    plan = decide_training(training_world(training_body(), allowed=closed))
    assert [type(effect) for effect in plan.effects] == [WriteStatus]
    assert table(written(plan))["Stalled"] == ("True", "ModelNotAllowed")
    later = training_world(training_body(status=written(plan)))
    assert isinstance(decide_training(later).effects[-1], OpenRun)


# -- suspended


def test_a_training_that_is_suspended_from_the_start_starts_nothing_and_asks_nobody_to_act() -> None:
    world = TrainingSimulation(suspend=True)
    world.reconcile()
    assert (world.status.phase, world.job, world.registry.runs) == (TrainingPhase.SUSPENDED, None, [])
    assert table(world.body["status"]) == {"Ready": ("False", "Suspended")}
    assert world.message == "spec.suspend is set; no trainer runs"
    world.wait(days=9)
    world.check_settled()
    assert world.plan() == Plan(), "no deadline runs while it is suspended"
    world.set_spec(suspend=False)
    world.reconcile()
    assert world.status.phase is TrainingPhase.PENDING
    assert world.job
    assert world.announced == ["Pending"]


def test_a_trainer_that_runs_is_stopped_and_goes_on_in_the_same_job_and_run() -> None:
    world = running()
    world.set_spec(suspend=True)
    world.reconcile()
    assert world.cluster.writes[-2:] == ["status TrainingJob fit", "suspend Job fit-1"]
    assert world.message == "spec.suspend is set; the trainer is being stopped"
    world.stop_pods()
    world.reconcile()
    assert world.message == "spec.suspend is set; no trainer runs"
    world.wait(days=9)
    world.check_settled()
    world.set_spec(suspend=False)
    world.reconcile()
    assert (world.status.phase, world.suspended) == (TrainingPhase.PENDING, False)
    world.run_pod()
    world.reconcile()
    world.succeed("m-1")
    world.reconcile()
    assert (world.status.phase, world.jobs_made, len(world.registry.runs)) == (TrainingPhase.SUCCEEDED, 1, 1)
    assert (world.status.attempt, [item.number for item in world.status.attempts]) == (1, [1])


def test_a_suspension_between_two_attempts_keeps_the_next_one_from_starting() -> None:
    world = TrainingSimulation(policy={"maxAttempts": 2})
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.fail()
    world.reconcile()
    world.set_spec(suspend=True)
    world.reconcile()
    world.set_spec(suspend=False)
    world.reconcile()
    assert (world.status.phase, world.condition("Reconciling")) == ("Pending", ("True", "Retrying"))
    assert world.message == "attempt 2 starts at 12:00:10 UTC"
    world.set_spec(suspend=True)
    world.wait(hours=1)
    world.reconcile()
    assert (world.status.phase, world.jobs_made) == ("Suspended", 1)
    world.set_spec(suspend=False)
    world.reconcile()
    assert world.jobs_made == 2


def test_a_trainer_that_has_ended_well_is_judged_and_registered_though_it_is_suspended() -> None:
    world = running()
    world.succeed("m-1")
    world.set_spec(suspend=True)
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED


@pytest.mark.parametrize("end", ["Succeeded", "Failed"])
def test_an_end_is_not_suspended(end: str) -> None:
    world = running()
    world.succeed("m-1") if end == "Succeeded" else world.fail()
    world.reconcile()
    world.set_spec(suspend=True)
    world.check_settled()
    assert world.status.phase == end


def test_a_job_that_someone_deletes_while_it_is_suspended_has_failed_its_attempt() -> None:
    world = running()
    world.set_spec(suspend=True)
    world.reconcile()
    world.lose_job()
    world.reconcile()
    assert world.condition("Stalled") == ("True", "JobDeleted")


# -- again


def test_a_job_that_was_deleted_costs_an_attempt() -> None:
    world = TrainingSimulation(policy={"maxAttempts": 2})
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.lose_job()
    assert world.next_look()
    assert world.job and world.job["metadata"]["name"] == "fit-2"
    assert [item.reason for item in world.status.attempts] == ["JobDeleted", ""]


def test_a_foreign_job_under_the_name_of_a_later_attempt_is_left_alone() -> None:
    failed = {"number": 1, "startTime": stamp(NOW), "endTime": stamp(NOW), "reason": "TrainerFailed"}
    body = training_body(status=status_of("Pending", attempt=2, attempts=[failed]), policy={"maxAttempts": 2})
    jobs = [job_body(body, ended="Failed"), job_body(body, attempt=2, ours=False)]
    plan = decide_training(training_world(body, jobs, registry=RegistryFacts(run=RUN)))
    assert table(written(plan))["Stalled"] == ("True", "NameConflict")
    assert "Job fit-2 exists" in written(plan)["conditions"][0]["message"]


def test_a_run_of_a_former_attempt_that_cannot_be_closed_now_is_closed_before_the_next_one_is_opened() -> None:
    world = TrainingSimulation(policy={"maxAttempts": 2})
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.fail()
    world.registry.down = True
    world.reconcile()
    assert world.plan() == Plan((), 10.0), "nothing is told of a registry that is not needed yet"
    world.wait(seconds=10)
    world.reconcile()
    assert world.condition("Reconciling") == ("True", "RegistryUnavailable")
    world.registry.down = False
    world.reconcile()
    assert world.cluster.writes[-5:] == [
        "close run",
        "open run",
        "status TrainingJob fit",
        "apply Job fit-2",
        "status TrainingJob fit",
    ]


@pytest.mark.parametrize("writes", range(1, 14))
def test_a_crash_after_any_write_of_two_attempts_is_taken_up_where_it_was(writes: int) -> None:
    world = TrainingSimulation(policy={"maxAttempts": 2})
    world.reconcile(most=writes)
    world.reconcile()
    world.run_pod()
    world.reconcile(most=writes)
    world.fail()
    world.reconcile(most=writes)
    world.next_look()
    world.run_pod()
    world.reconcile(most=writes)
    world.succeed("m-1")
    world.reconcile(most=writes)
    world.reconcile()
    assert (world.status.phase, world.jobs_made) == (TrainingPhase.SUCCEEDED, 2)
    assert [run.status for run in world.registry.runs] == ["FAILED", "FINISHED"]
