"""Every arrow of a TrainingJob, and every way off the road."""

from datetime import timedelta
from typing import Any

import pytest
from tests.property.training_simulation import DIGEST, TrainingSimulation
from tests.unit.builders import (
    JOB_UID,
    NOW,
    UID,
    Body,
    container_status,
    job_body,
    moment,
    pod_body,
    stamp,
    training_body,
    training_world,
)

from fairlead.api.reasons import Reason
from fairlead.api.training_job import TrainingPhase
from fairlead.core.effects import Apply, CloseRun, ObjectRef, OpenRun, Plan, WriteStatus
from fairlead.core.training import decide_training
from fairlead.core.training_status import lineage_tags
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


def test_a_trainer_that_fails_tells_exit_code_and_last_lines() -> None:
    world = running()
    world.fail(exit_code=7, exit_message="Traceback\nValueError: no rows")
    world.reconcile()
    status = world.status
    assert (status.phase, status.exit_code, status.message) == ("Failed", 7, "Traceback\nValueError: no rows")
    assert world.condition("Ready") == ("False", "TrainerFailed")
    assert world.condition("Stalled") == ("True", "TrainerFailed")
    assert "exited with code 7: Traceback" in status.conditions[0].message
    assert world.registry.runs[0].status == "FAILED"


def test_memory_as_the_cause_has_a_word_of_its_own() -> None:
    world = running()
    world.fail(exit_code=137, exit_reason="OOMKilled")
    world.reconcile()
    assert world.condition("Stalled") == ("True", "OutOfMemory")
    assert world.status.exit_code == 137


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "DeadlineExceeded: said so"),
        ([pod_body("", message="The node was low on memory", owner=JOB_UID)], "said so The node was low on memory"),
    ],
)
def test_a_job_that_failed_without_an_exit_code_says_what_its_controller_says(pods: list[Body], said: str) -> None:
    body = training_body(status=status_of("Running"))
    job = job_body(body, ended="Failed", reason="DeadlineExceeded")
    after = written(decide_training(training_world(body, [job, *pods])))
    assert after["conditions"][0]["message"].endswith(said)
    assert "exitCode" not in after
    assert after["completionTime"] == stamp(NOW)


def test_the_exit_code_is_that_of_the_newest_pod() -> None:
    body = training_body(status=status_of("Running"))
    evicted = pod_body(
        "", container_status("trainer", exit_code=137), name="b", created=NOW - timedelta(hours=1), owner=JOB_UID
    )
    failed = pod_body("", container_status("trainer", exit_code=7), name="a", owner=JOB_UID)
    after = written(decide_training(training_world(body, [job_body(body, ended="Failed"), failed, evicted])))
    assert after["exitCode"] == 7


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


def test_a_failed_job_s_run_is_closed_once_the_registry_answers() -> None:
    body = training_body(status=status_of("Failed"))
    job = job_body(body, ended="Failed")
    assert decide_training(training_world(body, [job], registry=DOWN)) == Plan((), 30.0)
    assert decide_training(training_world(body, [job], registry=RegistryFacts())) == Plan()
    plan = decide_training(training_world(body, [job], registry=RegistryFacts(run=RUN)))
    assert plan == Plan((CloseRun("run-1", "FAILED"),))
    for end in ("FAILED", "KILLED"):
        closed = RegistryFacts(run=Run("run-1", "1", "", end))
        assert decide_training(training_world(body, [job], registry=closed)) == Plan()


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


def watched(*pods: Body, **world: Any) -> Plan:
    body = training_body(status=status_of("Pending"))
    return decide_training(training_world(body, [job_body(body), *pods], **world))


def test_a_pod_that_waits_says_for_what_and_is_looked_at_again_soon() -> None:
    plan = watched(pod_body("", phase="Pending", unschedulable="Insufficient nvidia.com/gpu"))
    assert table(written(plan))["Reconciling"] == ("True", "Unschedulable")
    assert "nvidia.com/gpu" in written(plan)["conditions"][0]["message"]
    assert plan.requeue_after_seconds == 2.0


def test_an_image_that_is_missing_stalls_the_job() -> None:
    waits = container_status("trainer", waiting="ErrImagePull", waiting_message="not found")
    plan = watched(pod_body("", waits, phase="Pending"))
    assert table(written(plan))["Stalled"] == ("True", "ImageNotFound")
    assert written(plan)["phase"] == "Pending"


@pytest.mark.parametrize("reason", ["Error", "OOMKilled"])
def test_a_container_that_just_ended_is_left_for_the_job_controller_to_tell(reason: str) -> None:
    exited = container_status("trainer", exit_code=7, exit_reason=reason)
    plan = watched(pod_body("", exited, phase="Running"))
    assert written(plan)["phase"] == "Running"


def test_the_job_controller_s_warning_counts_only_while_there_is_no_pod() -> None:
    plan = watched(job_warning="exceeded quota: gpu")
    assert table(written(plan))["Reconciling"] == ("True", "QuotaExceeded")
    plan = watched(job_warning="violates PodSecurity")
    assert table(written(plan))["Stalled"] == ("True", "PodsForbidden")
    plan = watched(pod_body("", phase="Pending"), job_warning="exceeded quota: gpu")
    assert table(written(plan))["Reconciling"] == ("True", "Pending")


@pytest.mark.parametrize(("phase", "shown"), [("Running", "Running"), ("Pending", "Pending")])
def test_a_pod_that_has_ended_before_its_job_says_so_changes_no_phase(phase: str, shown: str) -> None:
    body = training_body(status=status_of(phase))
    ended = pod_body("", container_status("trainer", exit_code=0), phase="Succeeded")
    plan = decide_training(training_world(body, [job_body(body), ended]))
    assert written(plan)["phase"] == shown
    assert plan.requeue_after_seconds == 2.0


def test_a_running_trainer_shows_since_when_and_needs_no_polling() -> None:
    plan = watched(pod_body("", container_status("trainer")))
    assert moment(written(plan)["startTime"]) == NOW
    assert plan.requeue_after_seconds is None


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
