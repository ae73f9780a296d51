"""TrainingJobs that do not end well, on the whole cluster: each says why, in the cluster's own words."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.interface import Cluster
from tests.e2e import trainers
from tests.e2e.registry import Mlflow
from tests.e2e.world import World, namespaced, serving, training

pytestmark = pytest.mark.together

GATE = {"rules": [{"metric": "accuracy", "min": 0.9}]}
ENDED_SECONDS = 180

MISBEHAVING: dict[str, tuple[list[str] | None, dict[str, Any]]] = {
    "crashes": (trainers.CRASHES, {"policy": {"maxAttempts": 2}}),
    "oom": (
        trainers.RUNS_OUT_OF_MEMORY,
        {"compute": {"resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}}}},
    ),
    "hangs": (trainers.HANGS, {"policy": {"runDeadline": "5s"}, "terminationGracePeriodSeconds": 2}),
    "logs-nothing": (trainers.LOGS_NOTHING, {}),
    "logs-nan": (trainers.LOGS_NAN, {"gate": GATE}),
    "lacks-metric": (None, {"gate": {"rules": [{"metric": "f1", "min": 0.5}]}}),
}


@pytest.fixture(scope="module")
def misbehaving(cluster: Cluster, mlflow: Mlflow) -> Iterator[World]:
    """All of them at once, in one namespace: most of their time is waiting."""
    del mlflow
    with namespaced(cluster) as world:
        jobs = []
        for name, (command, spec) in MISBEHAVING.items():
            container = {"command": command} if command else {}
            jobs.append(training(name, f"{world.namespace}-{name}", container=container, **spec))
        world.apply(*jobs)
        yield world


def _failed(world: World, name: str, reason: str) -> tuple[dict[str, Any], str]:
    """Its status, once it has failed for this reason, and the message that goes with it."""
    found = world.wait_ended(name, seconds=ENDED_SECONDS)
    condition = world.condition("tj", name, "Ready")
    assert (found["status"]["phase"], condition["reason"]) == ("Failed", reason), found["status"]
    assert world.condition("tj", name, "Stalled")["status"] == "True"
    world.wait("the event", lambda: reason in world.events(name), seconds=10)
    return found["status"], condition["message"]


def _jobs(world: World, name: str) -> list[str]:
    found = world.items("jobs", f"fairlead.dev/trainingjob={name}")
    return sorted(item["metadata"]["name"] for item in found)


def test_a_trainer_that_crashes_is_tried_again_and_its_attempts_are_counted(misbehaving: World, mlflow: Mlflow) -> None:
    status, message = _failed(misbehaving, "crashes", "TrainerFailed")
    assert status["exitCode"] == 7
    assert "code 7" in message
    assert "the data set is torn" in status["message"]
    assert status["attempt"] == 2
    assert [(item["number"], item["exitCode"]) for item in status["attempts"]] == [(1, 7), (2, 7)]
    assert _jobs(misbehaving, "crashes") == ["crashes-1", "crashes-2"]
    runs = [item["runId"] for item in status["attempts"]]
    assert len(set(runs)) == 2

    def closed() -> bool:
        return [mlflow.run(run)["info"]["status"] for run in runs] == ["FAILED", "FAILED"]

    misbehaving.wait("runs closed", closed, seconds=20)


def test_a_trainer_that_runs_out_of_memory_is_told_its_limit(misbehaving: World) -> None:
    _, message = _failed(misbehaving, "oom", "OutOfMemory")
    assert "96Mi" in message


def test_a_trainer_that_hangs_ends_at_its_deadline(misbehaving: World) -> None:
    _, message = _failed(misbehaving, "hangs", "RunDeadlineExceeded")
    assert "5s" in message or "5 s" in message
    selector = "fairlead.dev/trainingjob=hangs"
    misbehaving.wait("nothing runs", lambda: not misbehaving.items("pods", selector), seconds=60)


def test_a_trainer_that_logs_nothing_is_told_so(misbehaving: World, mlflow: Mlflow) -> None:
    status, message = _failed(misbehaving, "logs-nothing", "NoModelLogged")
    assert status["exitCode"] == 0
    assert status["run"]["id"] in message
    assert mlflow.versions(f"{misbehaving.namespace}-logs-nothing") == []


def test_a_metric_that_is_not_a_number_does_not_pass_the_gate(misbehaving: World, mlflow: Mlflow) -> None:
    status, message = _failed(misbehaving, "logs-nan", "MetricNotFinite")
    assert "accuracy" in message
    assert status["gate"]["passed"] is False
    assert mlflow.versions(f"{misbehaving.namespace}-logs-nan") == []


def test_a_metric_that_was_never_logged_does_not_pass_the_gate(misbehaving: World, mlflow: Mlflow) -> None:
    status, message = _failed(misbehaving, "lacks-metric", "MetricMissing")
    assert "f1" in message
    assert status["gate"]["passed"] is False
    assert mlflow.versions(f"{misbehaving.namespace}-lacks-metric") == []


def test_a_trainer_whose_image_does_not_exist_says_so_and_is_not_given_up(world: World, mlflow: Mlflow) -> None:
    del mlflow
    world.apply(training("lost", f"{world.namespace}-m", container={"image": "localhost/no-such-trainer:1"}))
    world.wait("image problem", lambda: world.reason("tj", "lost") in ("ImageNotFound", "ImagePullFailed"), seconds=60)
    assert world.status("tj", "lost")["phase"] == "Pending"


def test_a_job_that_the_quota_refuses_is_shown_and_heals(world: World, mlflow: Mlflow) -> None:
    del mlflow
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "0"}},
    }
    world.apply(quota)
    world.apply(training("waits", f"{world.namespace}-m", container={"command": trainers.LOGS_NOTHING}))
    world.wait_reason("tj", "waits", "QuotaExceeded", seconds=20)
    world.kubectl("delete", "resourcequota", "small")
    assert world.wait_ended("waits", seconds=ENDED_SECONDS)["status"]["phase"] == "Failed"
    assert world.reason("tj", "waits") == "NoModelLogged"


def test_a_trainingjob_deleted_in_the_middle_leaves_nothing_behind(world: World, mlflow: Mlflow) -> None:
    del mlflow
    world.apply(
        training("gone", f"{world.namespace}-m", container={"command": trainers.HANGS}, terminationGracePeriodSeconds=2)
    )
    world.wait("running", lambda: world.status("tj", "gone").get("phase") == "Running", seconds=60)
    world.kubectl("delete", "tj", "gone", "--wait=true")
    world.wait("nothing left", lambda: not world.items("jobs") and not world.items("pods"), seconds=90)


def test_a_model_that_the_registry_lacks_is_named(world: World, mlflow: Mlflow) -> None:
    del mlflow
    world.apply(serving("nobody", "no-such-model"))
    world.wait_reason("md", "nobody", "ModelNotFound", seconds=5)
    assert "no-such-model" in world.condition("md", "nobody", "RolledOut")["message"]
