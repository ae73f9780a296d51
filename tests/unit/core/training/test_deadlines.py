"""Limits on running and on waiting."""

from datetime import timedelta
from typing import Any

import pytest
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import container_status

from fairlead.core.training.deadlines import overdue, seconds_left


def waiting(**policy: Any) -> TrainingSimulation:
    world = TrainingSimulation(policy=policy)
    world.reconcile()
    return world


def running(**policy: Any) -> TrainingSimulation:
    world = waiting(**policy)
    world.run_pod()
    world.reconcile()
    return world


def test_a_trainer_that_runs_too_long_has_failed_first_and_loses_its_job_then() -> None:
    world = running(runDeadline="1h")
    assert world.plan().requeue_after_seconds == 3600
    world.wait(minutes=59)
    world.check_settled()
    assert world.plan().requeue_after_seconds == 60
    world.wait(minutes=1)
    world.reconcile(most=1)
    assert world.condition("Stalled") == ("True", "RunDeadlineExceeded")
    assert world.message == "the trainer ran for 1h; policy.runDeadline is 1h"
    assert world.job, "the end is written down before the Job goes"
    world.reconcile()
    assert world.job is None
    assert world.cluster.writes[-2:] == ["delete Job fit-1", "close run"]
    assert world.registry.runs[0].status == "FAILED"
    (attempt,) = world.status.attempts
    assert (attempt.reason, world.status.running_seconds) == ("RunDeadlineExceeded", 3600)
    world.check_settled()


def test_the_run_deadline_is_over_all_attempts_together() -> None:
    world = running(runDeadline="1m", maxAttempts=5)
    world.wait(seconds=40)
    world.fail()
    world.next_look()
    world.run_pod()
    world.reconcile()
    assert world.plan().requeue_after_seconds == 20
    world.wait(seconds=20)
    world.reconcile()
    assert world.condition("Stalled") == ("True", "RunDeadlineExceeded")
    assert world.message == "the trainer ran for 1m in 2 attempts; policy.runDeadline is 1m"


def test_an_attempt_for_which_no_time_is_left_is_not_started() -> None:
    world = running(runDeadline="1m", maxAttempts=5)
    world.wait(seconds=61)
    world.fail()
    world.reconcile()
    assert world.condition("Stalled") == ("True", "RunDeadlineExceeded")
    assert world.jobs_made == 1


def test_a_trainer_that_ended_well_after_its_deadline_but_before_anyone_looked_has_ended_well() -> None:
    world = running(runDeadline="1m")
    world.wait(hours=2)
    world.succeed("m-1")
    world.reconcile()
    assert world.status.phase == "Succeeded"


def test_waiting_does_not_count_as_running() -> None:
    world = waiting(runDeadline="1m", pendingDeadline="off")
    world.wait(days=3)
    world.check_settled()
    assert seconds_left(world.world()) is None
    world.run_pod()
    world.reconcile()
    assert world.plan().requeue_after_seconds == 60


def test_a_pod_that_is_waited_for_too_long_fails_the_job_and_says_what_was_waited_for() -> None:
    world = waiting(pendingDeadline="15m")
    world.run_pod(phase="Pending", unschedulable="0/1 nodes are available: 1 Insufficient cpu")
    world.reconcile()
    world.wait(minutes=14, seconds=59)
    world.check_settled()
    assert world.plan().requeue_after_seconds == 1.0, "the deadline comes before the next poll"
    world.wait(seconds=1)
    world.reconcile()
    assert world.condition("Stalled") == ("True", "PendingDeadlineExceeded")
    assert world.message.startswith("no pod ran for 15m; policy.pendingDeadline is 15m; Unschedulable: pod fit-1-pod: ")
    assert world.job is None
    assert world.status.start_time is None, "it never ran"


def test_whatever_is_waited_for_is_waited_for_only_so_long() -> None:
    world = TrainingSimulation(policy={"pendingDeadline": "1h"})
    world.registry.down = True
    world.reconcile()
    world.wait(hours=1)
    world.reconcile()
    assert world.condition("Stalled") == ("True", "PendingDeadlineExceeded")
    assert "RegistryUnavailable: no answer" in world.message
    assert world.plan().requeue_after_seconds == 30.0, "there may be a run to close"


@pytest.mark.parametrize("again", ["evicted", "suspended", "failed"])
def test_the_waiting_is_timed_afresh_each_time(again: str) -> None:
    world = waiting(pendingDeadline="10m", maxAttempts=2)
    world.wait(minutes=9)
    world.run_pod()
    world.reconcile()
    world.wait(minutes=1)
    if again == "evicted":
        world.evict()
        world.run_pod(phase="Pending", name="second")
    elif again == "failed":
        world.fail()
        world.next_look()
    else:
        world.set_spec(suspend=True)
        world.reconcile()
        world.stop_pods()
        world.wait(days=2)
        world.set_spec(suspend=False)
    world.reconcile()
    world.wait(minutes=9, seconds=59)
    world.check_settled()
    assert not world.status.ended
    world.wait(seconds=1)
    world.reconcile()
    assert world.condition("Stalled") == ("True", "PendingDeadlineExceeded")


def test_the_pause_between_two_attempts_is_no_waiting() -> None:
    world = running(pendingDeadline="5s", maxAttempts=2)
    world.fail()
    world.reconcile()
    world.wait(seconds=9)
    world.check_settled()
    assert not world.status.ended


@pytest.mark.parametrize("spec", [{"runDeadline": "off"}, {"runDeadline": "off", "pendingDeadline": "off"}])
def test_a_limit_that_is_off_is_none(spec: dict[str, str]) -> None:
    world = running(**spec)
    world.wait(days=400)
    world.check_settled()
    assert (overdue(world.world()), seconds_left(world.world())) == (None, None)
    assert world.plan().requeue_after_seconds is None


def test_by_default_both_limits_are_a_day() -> None:
    world = running()
    assert seconds_left(world.world()) == timedelta(days=1).total_seconds()
    world = waiting()
    world.wait(hours=24)
    world.reconcile()
    assert world.condition("Stalled") == ("True", "PendingDeadlineExceeded")


def test_a_container_that_cannot_start_is_told_at_the_deadline() -> None:
    world = waiting(pendingDeadline="1h")
    waits = container_status("trainer", waiting="ErrImagePull", waiting_message="not found")
    world.run_pod(waits, phase="Pending")
    world.reconcile()
    world.wait(hours=1)
    world.reconcile()
    assert "ImageNotFound: pod fit-1-pod: not found" in world.message
