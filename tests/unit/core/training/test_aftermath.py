"""What is done for a TrainingJob after its end is latched."""

from datetime import timedelta
from typing import Any

import pytest
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import NOW, Body, child_of, job_body, stamp, training_body, training_world

from fairlead.api.reasons import Reason
from fairlead.core.effects import CloseRun, Delete, ObjectRef, Plan, TagRun
from fairlead.core.training.aftermath import CLOSE_RETRY_SECONDS, after_the_end
from fairlead.core.world import RegistryFacts, RegistryProblem, Run, TrainingWorld

DOWN = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
DAY = 86400.0


def run(number: int, status: str, gate: str = "") -> Run:
    return Run(f"run-{number}", "1", "", status, attempt=number, gate=gate)


def ended(
    phase: str = "Failed", *, job: str = "Failed", more: tuple[Body, ...] = (), ago: int = 0, **world: Any
) -> TrainingWorld:
    fields = {"attempt": 1, "attempts": [{"number": 1}], "completionTime": stamp(NOW - timedelta(seconds=ago))}
    body = training_body(status={"phase": phase, **fields, **world.pop("status", {})}, **world.pop("spec", {}))
    return training_world(body, [job_body(body, ended=job), *more], **world)


def test_a_failed_job_s_run_is_closed_once_the_registry_answers() -> None:
    assert after_the_end(ended(registry=DOWN)) == Plan((), CLOSE_RETRY_SECONDS)
    assert after_the_end(ended(registry=RegistryFacts())) == Plan((), DAY)
    plan = after_the_end(ended(registry=RegistryFacts(run=run(1, "RUNNING"))))
    assert plan == Plan((CloseRun("run-1", "FAILED"),))
    for end in ("FAILED", "KILLED"):
        assert after_the_end(ended(registry=RegistryFacts(run=run(1, end)))) == Plan((), DAY)


def test_a_registry_that_is_down_is_asked_again_only_when_there_may_be_a_run() -> None:
    assert after_the_end(ended(registry=DOWN, status={"attempts": []})) == Plan((), DAY)
    assert after_the_end(ended("Succeeded", job="Complete", registry=DOWN)) == Plan((), DAY)


def test_the_runs_of_former_attempts_are_closed_too() -> None:
    facts = RegistryFacts(run=run(2, "FAILED"), former_runs=(run(1, "RUNNING"),))
    assert after_the_end(ended(registry=facts)) == Plan((CloseRun("run-1", "FAILED"),))


def test_the_run_of_a_model_below_the_gate_ends_well_and_says_why() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "GateFailed", "message": "low", "lastTransitionTime": stamp(NOW)}
    ]
    status = {"gate": {"passed": False}, "conditions": conditions}

    def next_step(*former: Run, gate: str, end: str) -> Plan:
        facts = RegistryFacts(run=run(1, end, gate), former_runs=former)
        return after_the_end(ended(job="Complete", status=status, registry=facts))

    tags = {"fairlead.gate": "failed", "fairlead.gate.reason": "GateFailed: low"}
    assert next_step(gate="", end="RUNNING") == Plan((TagRun("run-1", tags),))
    assert next_step(gate="failed", end="FAILED") == Plan((CloseRun("run-1", "FINISHED"),))
    assert next_step(gate="failed", end="FINISHED") == Plan((), DAY)
    assert next_step(run(0, "RUNNING"), gate="failed", end="FINISHED") == Plan((CloseRun("run-0", "FAILED"),))


def test_a_job_that_still_runs_after_a_failure_is_deleted_before_anything_else() -> None:
    world = ended(job="", registry=RegistryFacts(run=run(1, "RUNNING")))
    assert world.job
    assert after_the_end(world) == Plan((Delete(ObjectRef("Job", "fit-1"), world.job.uid),))


def test_the_jobs_go_when_their_time_is_up_and_those_of_others_stay() -> None:
    body = training_body()
    other = child_of(body, {"kind": "Job", "metadata": {"name": "fit-0-register"}})
    foreign = child_of(body, {"kind": "Job", "metadata": {"name": "fit-9"}}, ours=False)
    spec = {"policy": {"ttlSecondsAfterFinished": 60}}
    for phase, job in (("Succeeded", "Complete"), ("Failed", "Failed")):
        early = ended(phase, job=job, more=(other, foreign), ago=59, spec=spec)
        assert after_the_end(early) == Plan((), 1.0)
        late = ended(phase, job=job, more=(other, foreign), ago=60, spec=spec)
        names = [effect.ref.name for effect in after_the_end(late).effects if isinstance(effect, Delete)]
        assert sorted(names) == ["fit-0-register", "fit-1"]


def test_a_registry_that_is_down_keeps_no_job_from_going() -> None:
    world = ended(registry=DOWN, ago=60, spec={"policy": {"ttlSecondsAfterFinished": 60}})
    assert isinstance(after_the_end(world).effects[0], Delete)
    soon = ended(registry=DOWN, ago=59, spec={"policy": {"ttlSecondsAfterFinished": 60}})
    assert after_the_end(soon) == Plan((), 1.0)


@pytest.mark.parametrize("end", ["Succeeded", "Failed"])
def test_jobs_that_are_gone_start_no_new_training(end: str) -> None:
    world = TrainingSimulation(policy={"ttlSecondsAfterFinished": 3600})
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.succeed("m-1") if end == "Succeeded" else world.fail()
    world.reconcile()
    status = world.body["status"]
    world.wait(minutes=59)
    world.check_settled()
    assert world.plan() == Plan((), 60.0)
    world.set_spec(policy={"ttlSecondsAfterFinished": 60})
    world.reconcile()
    assert world.cluster.of_kind("Job") == []
    world.wait(days=99)
    world.check_settled()
    assert (world.body["status"], world.jobs_made, len(world.registry.runs)) == (status, 1, 1)
    assert world.plan() == Plan()


def test_an_end_without_a_time_is_taken_to_be_now() -> None:
    assert after_the_end(ended(status={"completionTime": None})) == Plan((), DAY)
