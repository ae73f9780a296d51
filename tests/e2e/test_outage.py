"""MLflow goes away for a minute in the middle of everything: all ends as it would have, and users notice nothing."""

import time
from typing import Any

from tests.cluster.interface import Cluster
from tests.e2e import trainers
from tests.e2e.examples import infer_load
from tests.e2e.registry import Mlflow
from tests.e2e.world import World, serving, training
from tests.load import background_load

OUTAGE_SECONDS = 60.0
LOAD_RATE = 5.0


def _stop(cluster: Cluster, world: World, mlflow: Mlflow) -> float:
    """MLflow's pod goes; when nobody answered any more, in monotonic seconds."""
    cluster.kubectl("-n", "mlflow", "scale", "deploy/mlflow", "--replicas=0")
    world.wait("MLflow is away", lambda: not mlflow.answers(), seconds=30)
    return time.monotonic()


def _start(cluster: Cluster) -> None:
    cluster.kubectl("-n", "mlflow", "scale", "deploy/mlflow", "--replicas=1")
    cluster.kubectl("-n", "mlflow", "rollout", "status", "deploy/mlflow", "--timeout=120s")


def _serve_first_version(world: World, mlflow: Mlflow, model: str) -> list[float]:
    """A model that serves, with a second version registered by hand that nobody asks for yet; a row to ask about."""
    enough = {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "768Mi"}}  # beside two trainers
    world.apply(training("first", model), serving("model", model, resources=enough))
    first = world.wait_ended("first", seconds=180)["status"]
    assert first["phase"] == "Succeeded", first
    world.wait_rolled_out("model", seconds=120)
    assert mlflow.register_again(model, "1") == "2"
    row = mlflow.artifact(first["run"]["id"], "heldout.json")["rows"][0]
    return list(row)


def _says(world: World, name: str, text: str) -> bool:
    """Whether a trainer has printed something."""
    return text in world.kubectl("logs", "-l", f"fairlead.dev/trainingjob={name}", "--tail=-1", check=False)


def _registered_once(world: World, mlflow: Mlflow, name: str, model: str) -> dict[str, Any]:
    status: dict[str, Any] = world.wait_ended(name, seconds=150)["status"]
    assert status["phase"] == "Succeeded", status
    assert [item["version"] for item in mlflow.versions(model)] == ["1"]
    assert mlflow.aliases(model) == {"candidate": "1"}
    assert mlflow.run(status["run"]["id"])["info"]["status"] == "FINISHED"
    assert status["attempt"] == 1
    return status


def test_mlflow_may_be_away_for_a_minute_while_trainings_registrations_and_alias_changes_are_under_way(
    world: World, cluster: Cluster, mlflow: Mlflow
) -> None:
    model, trains, registers = (f"{world.namespace}-{name}" for name in ("served", "trains", "registers"))
    row = _serve_first_version(world, mlflow, model)
    url = f"{world.url('model')}/v2/models/model/infer"
    world.apply(training("trains", trains, container={"command": trainers.LOGS_DURING_AN_OUTAGE}))
    world.wait("in the middle of training", lambda: _says(world, "trains", "training until"), seconds=60)
    with background_load(infer_load(url, row, rate=LOAD_RATE)) as load:
        try:
            world.apply(training("registers", registers))
            world.wait(
                "in the middle of registering",
                lambda: world.status("tj", "registers")["phase"] == "Registering",
                seconds=90,
            )
            mlflow.set_alias(model, "candidate", "2")
            gone = _stop(cluster, world, mlflow)
            time.sleep(max(0.0, gone + OUTAGE_SECONDS - time.monotonic()))
            assert not mlflow.answers()
            assert world.status("tj", "trains")["phase"] == "Running"
            assert world.status("tj", "registers")["phase"] == "Registering", "it was stopped in the middle"
            assert world.status("md", "model")["stable"]["modelVersion"] == "1"
            assert world.condition("md", "model", "Ready")["status"] == "True"
        finally:
            _start(cluster)
        _registered_once(world, mlflow, "registers", registers)
        _registered_once(world, mlflow, "trains", trains)
        world.wait_served("model", "2", seconds=60)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert report.sent > OUTAGE_SECONDS * LOAD_RATE
