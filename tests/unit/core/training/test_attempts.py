"""When attempts ran, for how long, and when the next one may start."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import (
    JOB_UID,
    NOW,
    Body,
    container_status,
    job_body,
    pod_body,
    stamp,
    training_body,
    training_world,
)

from fairlead.api.training_job import AttemptStatus, TrainingJobStatus, TrainingPhase
from fairlead.core.training.attempts import backoff_seconds, has_run, keep_time, not_before, running_pods
from fairlead.core.world import TrainingWorld


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def world_of(*pods: Body, now: datetime, ended: str = "", **status: Any) -> TrainingWorld:
    body = training_body(status={"phase": "Running", "attempt": 1, **status})
    return training_world(body, [job_body(body, ended=ended), *pods], now=now)


def pod(name: str, start: int | None, end: int | None = None, **fields: Any) -> Body:
    """A pod that runs, or ran until `end`; seconds from NOW."""
    started, finished = None if start is None else at(start), None if end is None else at(end)
    phase = "Running" if end is None else "Failed"
    code = None if end is None else 137
    shown = container_status("trainer", exit_code=code, started=started, finished=finished)
    return pod_body("", shown, name=name, phase=phase, owner=JOB_UID, **fields)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (20, 300)])
def test_the_pause_doubles_up_to_five_minutes(attempt: int, seconds: int) -> None:
    assert backoff_seconds(attempt) == seconds


def test_the_next_attempt_waits_from_the_end_of_the_former_one() -> None:
    former = AttemptStatus(number=2, end_time=NOW)
    assert not_before(TrainingJobStatus(attempt=3, attempts=(former,))) == at(20)
    assert not_before(TrainingJobStatus(attempt=1)) is None
    assert not_before(TrainingJobStatus()) is None


def test_a_pod_that_runs_starts_the_clock_at_its_container_s_start() -> None:
    world = world_of(pod("a", 3), now=at(5))
    times = keep_time(world, TrainingPhase.RUNNING)
    assert (times["running_since"], times["running_seconds"], times["pending_since"]) == (at(3), 0, None)
    assert times["start_time"] == at(3)
    assert times["attempts"] == (AttemptStatus(number=1, start_time=at(3)),)
    assert [item.name for item in running_pods(world)] == ["a"]
    assert not has_run(world), "only what is written down counts"


def test_a_pod_whose_start_is_not_told_runs_from_when_it_was_seen() -> None:
    assert keep_time(world_of(pod("a", None), now=at(5)), TrainingPhase.RUNNING)["running_since"] == at(5)


def test_while_the_same_pod_runs_nothing_is_rewritten() -> None:
    known: dict[str, Any] = {"runningSince": stamp(at(3)), "runningSeconds": 7, "startTime": stamp(at(-60))}
    attempts = [{"number": 1, "startTime": stamp(at(-60))}]
    for shown in (pod("a", 3), pod("a", None)):
        times = keep_time(world_of(shown, now=at(99), attempts=attempts, **known), TrainingPhase.RUNNING)
        assert (times["running_since"], times["running_seconds"], times["start_time"]) == (at(3), 7, at(-60))
        assert times["attempts"][0].start_time == at(-60)


def test_a_pod_that_has_stopped_adds_its_time_and_the_waiting_begins_then() -> None:
    times = keep_time(
        world_of(pod("a", 3, 23), now=at(40), runningSince=stamp(at(3)), runningSeconds=5), TrainingPhase.PENDING
    )
    assert (times["running_since"], times["running_seconds"], times["pending_since"]) == (None, 25, at(23))


@pytest.mark.parametrize(("ended", "seconds"), [("", 37), ("Failed", 0)])
def test_a_pod_that_is_gone_stopped_when_its_job_did_or_else_just_now(ended: str, seconds: int) -> None:
    """The Job of these tests ends at NOW, which is before the pod's start: no time is ever taken back."""
    times = keep_time(world_of(now=at(40), ended=ended, runningSince=stamp(at(3))), TrainingPhase.FAILED)
    assert (times["running_since"], times["running_seconds"], times["pending_since"]) == (None, seconds, None)


def test_the_end_of_an_earlier_pod_is_not_that_of_the_one_that_ran() -> None:
    times = keep_time(world_of(pod("a", -60, -30), now=at(40), runningSince=stamp(at(3))), TrainingPhase.PENDING)
    assert times["running_seconds"] == 37


def test_a_pod_that_took_another_s_place_unseen_starts_a_new_span() -> None:
    world = world_of(pod("a", 3, 13), pod("b", 60), now=at(70), runningSince=stamp(at(3)), runningSeconds=1)
    times = keep_time(world, TrainingPhase.RUNNING)
    assert (times["running_since"], times["running_seconds"], times["pending_since"]) == (at(60), 11, None)


def test_what_ran_and_ended_before_anyone_looked_counts_too_but_once() -> None:
    times = keep_time(world_of(pod("a", 3, 13), now=at(70)), TrainingPhase.PENDING)
    assert (times["running_seconds"], times["start_time"]) == (10, at(3))
    assert times["attempts"] == (AttemptStatus(number=1, start_time=at(3)),)
    seen = [{"number": 1, "startTime": stamp(at(3))}]
    again = keep_time(world_of(pod("a", 3, 13), now=at(70), runningSeconds=10, attempts=seen), TrainingPhase.PENDING)
    assert again["running_seconds"] == 10


def test_waiting_is_timed_only_while_a_pod_is_waited_for() -> None:
    pending = keep_time(world_of(now=at(70)), TrainingPhase.PENDING)
    assert pending["pending_since"] == at(70)
    known = keep_time(world_of(now=at(70), pendingSince=stamp(at(1))), TrainingPhase.PENDING)
    assert known["pending_since"] == at(1)
    for phase in (TrainingPhase.SUSPENDED, TrainingPhase.GATING, TrainingPhase.FAILED):
        assert keep_time(world_of(now=at(70), pendingSince=stamp(at(1))), phase)["pending_since"] is None


def test_time_adds_up_over_attempts_evictions_and_suspensions() -> None:
    world = TrainingSimulation(policy={"maxAttempts": 2})
    world.reconcile()
    world.wait(seconds=100)
    world.run_pod()
    world.reconcile()
    world.wait(seconds=30)
    world.evict()
    world.run_pod(phase="Pending", name="second")
    world.reconcile()
    assert (world.status.phase, world.status.running_seconds) == ("Pending", 30)
    world.wait(seconds=50)
    world.run_pod(name="second")
    world.reconcile()
    world.wait(seconds=5)
    world.set_spec(suspend=True)
    world.reconcile()
    world.wait(seconds=2)
    world.stop_pods()
    world.reconcile()
    assert (world.status.phase, world.status.running_seconds) == ("Suspended", 35), (
        "the kubelet's time to stop a pod is not the trainer's"
    )
    world.wait(hours=1)
    world.set_spec(suspend=False)
    world.reconcile()
    world.run_pod(name="third")
    world.reconcile()
    world.wait(seconds=3)
    world.fail()
    assert world.next_look()
    world.run_pod()
    world.reconcile()
    assert world.status.running_seconds == 38
    world.wait(seconds=7)
    world.succeed("m-1")
    world.reconcile()
    assert (world.status.phase, world.status.running_seconds, world.status.running_since) == ("Succeeded", 45, None)
    assert world.status.start_time == NOW + timedelta(seconds=100)
