"""What the pods of an attempt say, and what follows when it fails."""

from datetime import timedelta
from typing import Any

import pytest
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import (
    JOB_UID,
    NOW,
    Body,
    container_status,
    job_body,
    moment,
    pod_body,
    stamp,
    training_body,
    training_world,
)

from fairlead.core.effects import Plan, WriteStatus
from fairlead.core.training.trainer import HANDOVER, trainer_failed, watch_trainer


def status_of(phase: str, **fields: Any) -> Body:
    return {"phase": phase, "attempt": 1, "run": {"id": "run-1", "experimentId": "1", "url": ""}, **fields}


def written(plan: Plan) -> Any:
    """The status that the plan writes first."""
    effect = plan.effects[0]
    assert isinstance(effect, WriteStatus)
    return effect.after


def table(status: Any) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


def running(**spec: Any) -> TrainingSimulation:
    """A world whose trainer runs."""
    world = TrainingSimulation(**spec)
    world.reconcile()
    world.run_pod()
    world.reconcile()
    return world


# -- what is waited for


def watched(*pods: Body, phase: str = "Pending", suspended: bool = False, **world: Any) -> Plan:
    body = training_body(status=status_of(phase))
    return watch_trainer(training_world(body, [job_body(body, suspended=suspended), *pods], **world))


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


def test_a_job_that_someone_else_has_suspended_says_so() -> None:
    after = written(watched(suspended=True))
    assert after["phase"] == "Pending"
    assert after["conditions"][0]["message"] == "Job fit-1 is suspended, and not by this TrainingJob"


def test_what_an_evicted_pod_died_of_does_not_hide_what_its_successor_waits_for() -> None:
    evicted = pod_body("", container_status("trainer", exit_code=137), name="old", phase="Failed", owner=JOB_UID)
    successor = pod_body("", name="new", phase="Pending", unschedulable="0/1 nodes", owner=JOB_UID)
    after = written(watched(evicted, successor, phase="Running"))
    assert (after["phase"], after["conditions"][0]["reason"]) == ("Pending", "Unschedulable")


def test_a_running_trainer_shows_since_when_and_needs_no_polling() -> None:
    plan = watched(pod_body("", container_status("trainer")))
    assert moment(written(plan)["startTime"]) == NOW
    assert plan.requeue_after_seconds is None


@pytest.mark.parametrize(
    ("phase", "seconds_ago", "shown"),
    [("Running", 0, "Running"), ("Running", 9, "Running"), ("Running", 10, "Pending"), ("Pending", 0, "Pending")],
)
def test_a_pod_that_has_just_ended_changes_no_phase_until_the_job_says_so(
    phase: str, seconds_ago: int, shown: str
) -> None:
    at = NOW - timedelta(seconds=seconds_ago)
    ended = pod_body("", container_status("trainer", exit_code=0, finished=at), phase="Succeeded")
    plan = watched(ended, phase=phase)
    assert (written(plan)["phase"] if plan.effects else phase) == shown
    assert plan.requeue_after_seconds == 2.0
    assert timedelta(seconds=10) == HANDOVER


# -- how it fails


def test_a_trainer_that_fails_tells_exit_code_and_last_lines() -> None:
    world = running()
    world.fail(exit_code=7, exit_message="Traceback\nValueError: no rows")
    world.reconcile()
    status = world.status
    assert (status.phase, status.exit_code, status.message) == ("Failed", 7, "Traceback\nValueError: no rows")
    assert world.condition("Ready") == ("False", "TrainerFailed")
    assert world.condition("Stalled") == ("True", "TrainerFailed")
    assert world.message.startswith('container "trainer" exited with code 7: Traceback')
    assert world.registry.runs[0].status == "FAILED"
    (attempt,) = status.attempts
    assert (attempt.number, attempt.reason, attempt.exit_code, attempt.run_id) == (1, "TrainerFailed", 7, "run-1")
    assert (attempt.start_time, attempt.end_time) == (NOW, NOW)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"memory": "64Mi", "cpu": 1}, "it was ended at its memory limit of 64Mi"),
        (None, "memory ran out, and it has no limit of its own"),
    ],
)
def test_memory_as_the_cause_has_a_word_of_its_own_and_says_the_limit(limits: Body | None, said: str) -> None:
    body = training_body(status=status_of("Running"))
    pod = pod_body("", container_status("trainer", exit_code=137, exit_reason="OOMKilled"), owner=JOB_UID)
    pod["spec"] = {"containers": [{"name": "trainer"} | ({"resources": {"limits": limits}} if limits else {})]}
    after = written(trainer_failed(training_world(body, [job_body(body, ended="Failed"), pod])))
    assert table(after)["Stalled"] == ("True", "OutOfMemory")
    assert after["conditions"][0]["message"] == f'container "trainer" exited with code 137; {said}'
    assert after["exitCode"] == 137


@pytest.mark.parametrize(
    ("code", "limits", "deleting", "reason"),
    [
        (137, {"memory": "64Mi"}, False, "OutOfMemory"),
        (137, {"memory": "64Mi"}, True, "TrainerFailed"),
        (137, {"cpu": 1}, False, "TrainerFailed"),
        (143, {"memory": "64Mi"}, False, "TrainerFailed"),
    ],
)
def test_a_kill_that_nobody_asked_for_is_put_down_to_the_memory_limit_and_says_so(
    code: int, limits: Body, deleting: bool, reason: str
) -> None:
    body = training_body(status=status_of("Running"))
    pod = pod_body("", container_status("trainer", exit_code=code), owner=JOB_UID, deleting=deleting)
    pod["spec"] = {"containers": [{"name": "trainer", "resources": {"limits": limits}}]}
    after = written(trainer_failed(training_world(body, [job_body(body, ended="Failed"), pod])))
    assert table(after)["Stalled"] == ("True", reason)
    likely = "it was killed, most likely at its memory limit of 64Mi: no other cause is known"
    assert (likely in after["conditions"][0]["message"]) is (reason == "OutOfMemory")


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
    after = written(trainer_failed(training_world(body, [job, *pods])))
    assert after["conditions"][0]["message"].endswith(said)
    assert "exitCode" not in after
    assert after["completionTime"] == stamp(NOW)


def test_the_exit_code_is_that_of_the_newest_pod() -> None:
    body = training_body(status=status_of("Running"))
    evicted = pod_body(
        "", container_status("trainer", exit_code=137), name="b", created=NOW - timedelta(hours=1), owner=JOB_UID
    )
    failed = pod_body("", container_status("trainer", exit_code=7), name="a", owner=JOB_UID)
    after = written(trainer_failed(training_world(body, [job_body(body, ended="Failed"), failed, evicted])))
    assert after["exitCode"] == 7


# -- and then


def test_a_failed_attempt_is_followed_by_another_after_a_pause() -> None:
    world = running(policy={"maxAttempts": 3})
    world.wait(seconds=30)
    world.fail(exit_message="no rows")
    world.reconcile()
    status = world.status
    assert (status.phase, status.attempt, status.run, status.exit_code) == ("Pending", 2, None, 7)
    assert world.condition("Reconciling") == ("True", "Retrying")
    assert world.message == (
        "attempt 1 of 3 has failed; the next one starts at 12:00:40 UTC; "
        'TrainerFailed: container "trainer" exited with code 7: no rows'
    )
    assert world.registry.runs[0].status == "FAILED", "the former run is closed first"
    assert world.plan() == Plan((), 10.0)
    world.check_settled()
    world.wait(seconds=9)
    world.check_settled()
    world.wait(seconds=1)
    world.reconcile()
    assert [run.attempt for run in world.registry.runs] == [1, 2]
    assert world.job and world.job["metadata"]["name"] == "fit-2"
    assert [(item.number, item.run_id, item.reason) for item in world.status.attempts] == [
        (1, "run-1", "TrainerFailed"),
        (2, "run-2", ""),
    ]


def test_the_last_attempt_s_failure_is_final_and_says_which_one_it_was() -> None:
    world = running(policy={"maxAttempts": 2})
    world.fail()
    assert world.next_look()
    world.run_pod()
    world.reconcile()
    world.fail(exit_code=9)
    world.reconcile()
    assert (world.status.phase, world.status.attempt, world.status.exit_code) == ("Failed", 2, 9)
    assert world.message == 'attempt 2 of 2: container "trainer" exited with code 9'
    assert [run.status for run in world.registry.runs] == ["FAILED", "FAILED"]
    assert world.announced == ["Training", "Retrying", "Pending", "Training", "TrainerFailed"]


def test_an_attempt_that_ends_well_after_one_that_failed_is_registered() -> None:
    world = running(policy={"maxAttempts": 2})
    world.fail(exit_message="no rows")
    assert world.next_look()
    world.run_pod()
    world.reconcile()
    world.succeed("m-2")
    world.reconcile()
    status = world.status
    assert (status.phase, status.attempt, status.exit_code, status.message) == ("Succeeded", 2, 0, "")
    assert [(item.reason, item.exit_code) for item in status.attempts] == [
        ("TrainerFailed", 7),
        ("TrainerSucceeded", 0),
    ]
    assert [run.status for run in world.registry.runs] == ["FAILED", "FINISHED"]
