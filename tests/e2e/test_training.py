"""TrainingJobs on the whole cluster: the story of the demo, and a trainer that fails."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.e2e.world import World, training

MLFLOW = "/api/2.0/mlflow"


def _ask(url: str, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def _ended(world: World, name: str) -> dict[str, Any] | None:
    found = world.get("tj", name) or {}
    return found if found.get("status", {}).get("phase") in ("Succeeded", "Failed") else None


def test_a_model_is_trained_registered_served_and_answers_as_it_did_in_training(world: World, mlflow: str) -> None:
    model = f"{world.namespace}-cancer"
    world.apply(training("cancer", model, params={"seed": "7"}))
    found = world.wait("training", lambda: _ended(world, "cancer"), seconds=180)
    status = found["status"]
    assert status["phase"] == "Succeeded", status
    assert status["modelVersion"] == {"name": model, "version": "1", "alias": "candidate"}
    version = _ask(f"{mlflow}{MLFLOW}/model-versions/get?name={model}&version=1")["model_version"]
    tags = {item["key"]: item["value"] for item in version["tags"]}
    assert tags["fairlead.trainingjob.uid"] == found["metadata"]["uid"]
    run = _ask(f"{mlflow}{MLFLOW}/runs/get?run_id={status['run']['id']}")["run"]
    assert run["info"]["status"] == "FINISHED"
    assert {item["key"] for item in run["data"]["tags"]} >= {"fairlead.trainingjob.uid", "fairlead.image"}

    serving = {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "cancer"},
        "spec": {"model": {"name": model, "alias": "candidate"}},
    }
    world.apply(serving)
    deployed = world.wait_rolled_out("cancer", seconds=120)
    assert deployed["status"]["stable"]["modelVersion"] == "1"
    assert deployed["status"]["model"]["digest"] == "unverified"
    artifacts = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    held_out = _ask(f"{mlflow}/api/2.0/mlflow-artifacts/artifacts/{artifacts}/heldout.json")
    rows, own = held_out["rows"], held_out["predict"]
    assert len(rows) > 100
    tensor = {"name": "input", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}
    answer = _ask(f"{world.url('cancer')}/v2/models/cancer/infer", {"inputs": [tensor]})
    predicted = next(item for item in answer["outputs"] if item["name"] == "predict")["data"]
    assert predicted == own, "every held-out row"


def test_a_trainer_that_fails_says_its_exit_code_and_last_lines(world: World, mlflow: str) -> None:
    world.apply(training("broken", f"{world.namespace}-m", params={"crash": "true"}))
    found = world.wait("training", lambda: _ended(world, "broken"), seconds=120)
    status = found["status"]
    assert status["phase"] == "Failed"
    assert status["exitCode"] == 7
    assert world.reason("tj", "broken") == "TrainerFailed"
    assert "Traceback" in status["message"] or "crash" in status["message"].lower()
    assert world.condition("tj", "broken", "Stalled")["status"] == "True"
    assert len(world.items("jobs")) == 1

    def closed() -> bool:
        run = _ask(f"{mlflow}{MLFLOW}/runs/get?run_id={status['run']['id']}")["run"]
        return bool(run["info"]["status"] == "FAILED")

    world.wait("run closed", closed, seconds=20)


def test_a_trainer_whose_image_does_not_exist_says_so_and_is_not_given_up(world: World, mlflow: str) -> None:
    del mlflow
    world.apply(training("lost", f"{world.namespace}-m", container={"image": "localhost/no-such-trainer:1"}))
    world.wait("image problem", lambda: world.reason("tj", "lost") in ("ImageNotFound", "ImagePullFailed"), seconds=60)
    assert (world.get("tj", "lost") or {})["status"]["phase"] == "Pending"


def test_a_job_that_the_quota_refuses_is_shown_and_heals(world: World, mlflow: str) -> None:
    del mlflow
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "0"}},
    }
    world.apply(quota)
    script = "import sys; print('nothing logged'); sys.exit(0)"
    world.apply(training("waits", f"{world.namespace}-m", container={"command": ["python", "-c", script]}))
    world.wait_reason("tj", "waits", "QuotaExceeded", seconds=20)
    world.kubectl("delete", "resourcequota", "small")
    found = world.wait("end", lambda: _ended(world, "waits"), seconds=180)
    assert found["status"]["phase"] == "Failed"
    assert world.reason("tj", "waits") == "NoModelLogged"


def test_a_trainingjob_deleted_in_the_middle_leaves_nothing_behind(world: World, mlflow: str) -> None:
    del mlflow
    world.apply(training("gone", f"{world.namespace}-m", container={"command": ["sleep", "600"]}))
    world.wait(
        "running", lambda: (world.get("tj", "gone") or {}).get("status", {}).get("phase") == "Running", seconds=60
    )
    world.kubectl("delete", "tj", "gone", "--wait=true")
    world.wait("nothing left", lambda: not world.items("jobs") and not world.items("pods"), seconds=90)


def test_a_model_that_the_registry_lacks_is_named(world: World, mlflow: str) -> None:
    del mlflow
    serving = {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "nobody"},
        "spec": {"model": {"name": "no-such-model", "alias": "candidate"}},
    }
    world.apply(serving)
    world.wait_reason("md", "nobody", "ModelNotFound", seconds=5)
    assert "no-such-model" in world.condition("md", "nobody", "RolledOut")["message"]
